#include "relay/schedule/greylist.hpp"

#include <algorithm>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_step = 10s;
constexpr Duration longest_step = 2min;
constexpr Duration margin = 1s;
constexpr std::size_t sites_kept = 10'000;

}  // namespace

Time Greylist::again(const std::string& site, Time first, Time now, Time regular) {
    if (sites_.size() >= sites_kept && !sites_.contains(site)) return regular;
    auto& known = sites_[site];
    auto const age = now - first;
    if (known.good > Duration::zero()) {
        if (age < known.good) return first + known.good + margin;
        // It waits longer than it did: found out anew.
        known = {};
    }
    known.bad = std::max(known.bad, age);
    // One at a time is sent ahead; a scout that is overdue was lost, or its message given up.
    if (now < known.scout) return regular;
    auto const step = std::clamp<Duration>(age / 2, first_step, longest_step);
    known.scout = std::min(now + step, regular);
    return known.scout;
}

std::optional<Duration> Greylist::passed(const std::string& site, Time first, Time now) {
    auto const at = sites_.find(site);
    if (at == sites_.end()) return std::nullopt;
    auto& known = at->second;
    auto const age = now - first;
    if (age <= known.bad || (known.good > Duration::zero() && age >= known.good))
        return std::nullopt;
    known.good = age;
    known.scout = {};
    return age;
}

std::optional<Duration> Greylist::wait(const std::string& site) const {
    auto const at = sites_.find(site);
    if (at == sites_.end() || at->second.good == Duration::zero()) return std::nullopt;
    return at->second.good;
}

}  // namespace millrace::relay
