#include "relay/schedule/greylist.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_step = 10s;
constexpr Duration longest_step = 2min;
constexpr Duration longest_wait = 1h;
constexpr Duration margin = 1s;
/// So many in a row are refused at an age at which others were taken before that is given up. One
/// alone may have been forgotten over there, or be a second message to the same recipient.
constexpr unsigned contradictions = 3;
constexpr std::size_t sites_kept = 10'000;

}  // namespace

bool Greylist::Site::close() const {
    return good > Duration::zero() && good <= longest_wait && good <= 2 * bad + longest_step;
}

Time Greylist::again(
    const std::string& site, Time first, Time now, Time regular, Time least) {
    regular = std::max(regular, least);
    auto& known = site_of(site, now);
    auto const age = now - first;
    // Nobody lets strangers wait for so long: it has been here, and was forgotten (a crash).
    if (age > longest_wait) first = now;
    if (known.good > Duration::zero()) {
        auto const then = std::max(first + known.good + margin, least);
        if (now - first < known.good) return known.close() ? then : std::min(then, regular);
        // The recipients of one attempt are one.
        if (std::exchange(known.contradicted_at, now) != now) ++known.contradicted;
        if (known.contradicted < contradictions) {
            return std::min(std::max(now + known.good + margin, least), regular);
        }
        // It waits longer than it did: found out anew.
        known = {};
        known.used = now;
    }
    known.bad = std::max(known.bad, now - first);
    // One at a time is sent ahead; a scout that is overdue was lost, or its message given up.
    if (now < known.scout) return regular;
    auto const step = std::clamp<Duration>((now - first) / 2, first_step, longest_step);
    known.scout = std::min(std::max(now + step, least), regular);
    return known.scout;
}

Greylist::Site& Greylist::site_of(const std::string& site, Time now) {
    if (sites_.size() >= sites_kept && !sites_.contains(site)) {
        // A tenth goes at once, so that a flood of new ones does not search for each of them.
        std::vector<Time> times;
        for (auto const& [name, one] : sites_)
            times.push_back(one.used);
        auto const tenth = times.begin() + static_cast<std::ptrdiff_t>(sites_kept / 10);
        std::ranges::nth_element(times, tenth);
        std::erase_if(sites_, [&](auto const& entry) { return entry.second.used <= *tenth; });
    }
    auto& found = sites_[site];
    found.used = now;
    return found;
}

void Greylist::restore(const std::string& site, Duration wait, Time now) {
    if (wait <= Duration::zero() || sites_.contains(site)) return;
    auto& known = site_of(site, now);
    known.good = wait;
    known.bad = wait / 2;  // nobody knows any more; that it was found out is known
}

std::optional<Duration> Greylist::passed(const std::string& site, Time first, Time now) {
    auto const at = sites_.find(site);
    if (at == sites_.end()) return std::nullopt;
    auto& known = at->second;
    known.used = now;
    known.contradicted = 0;
    auto const age = now - first;
    if (age <= known.bad || (known.good > Duration::zero() && age >= known.good))
        return std::nullopt;
    known.good = age;
    known.scout = {};
    return age;
}

std::optional<Duration> Greylist::wait(const std::string& site) const {
    auto const at = sites_.find(site);
    if (at == sites_.end() || !at->second.close()) return std::nullopt;
    return at->second.good;
}

}  // namespace millrace::relay
