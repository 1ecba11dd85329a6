#include "relay/recent_rate.hpp"

#include <algorithm>

namespace millrace::relay {

void RecentRate::count(const std::string& name, Time now) {
    auto const slice = slice_of(now);
    if (names_.size() >= names_kept && !names_.contains(name)) {
        std::erase_if(names_, [&](auto const& entry) {
            return slice - entry.second.newest >= static_cast<std::int64_t>(slices);
        });
        if (names_.size() >= names_kept) return;
    }
    auto& s = names_[name];
    if (slice - s.newest >= static_cast<std::int64_t>(slices)) {
        s.counts = {};
        s.first = now;
        s.newest = slice;
    }
    while (s.newest < slice) {
        ++s.newest;
        s.counts[static_cast<std::size_t>(s.newest) % slices] = 0;
    }
    ++s.counts[static_cast<std::size_t>(slice) % slices];
}

double RecentRate::per_second(const std::string& name, Time now) const {
    auto const at = names_.find(name);
    if (at == names_.end()) return 0;
    auto const& s = at->second;
    auto const slice = slice_of(now);
    std::uint64_t sum = 0;
    for (auto i = slice; i > slice - static_cast<std::int64_t>(slices); --i) {
        if (i <= s.newest && i > s.newest - static_cast<std::int64_t>(slices)) {
            sum += s.counts[static_cast<std::size_t>(i) % slices];
        }
    }
    auto const begin =
        Time(std::chrono::seconds((slice - static_cast<std::int64_t>(slices) + 1) * 10));
    // Less than ten seconds say little.
    auto const watched =
        std::max<Duration>(now - std::max(begin, s.first), std::chrono::seconds(10));
    return static_cast<double>(sum) / std::chrono::duration<double>(watched).count();
}

}  // namespace millrace::relay
