#include "relay/schedule/retry.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace::relay {
namespace {

constexpr Duration last_try_window = std::chrono::minutes(1);
constexpr double jitter_share = 0.1;

}  // namespace

std::optional<Time> RetrySchedule::next(unsigned attempts,
                                        Time now,
                                        Time born,
                                        Random& random,
                                        Duration least) const {
    MILLRACE_CHECK(!steps.empty());
    auto const index = std::min<std::size_t>(attempts == 0 ? 0 : attempts - 1, steps.size() - 1);
    auto const step = std::max(steps[index], least);
    auto const jitter = Duration(static_cast<Duration::rep>(static_cast<double>(step.count()) *
                                                            jitter_share * random.unit()));
    auto const regular = now + step + jitter;
    auto const end = expiry(born);
    if (regular < end - last_try_window) {
        return regular;
    }
    // The last try lies within the last minute; whoever is there already has had it.
    auto const last = end - last_try_window;
    if (now >= last) {
        return std::nullopt;
    }
    return last + Duration(static_cast<Duration::rep>(static_cast<double>(last_try_window.count()) *
                                                      0.5 * random.unit()));
}

}  // namespace millrace::relay
