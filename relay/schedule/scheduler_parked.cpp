// The part of the scheduler that calls greylisted works when their site is known to take them.
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

void Scheduler::park(const std::string& site, const Work& work) {
    if (parked_.size() >= limits_.window || work.held) return;
    parked_.insert_or_assign(work.key, Parked{work, site, never});
    parked_by_site_[site].insert(work.key);
}

void Scheduler::release(const std::string& site, Duration age, Time now) {
    auto const at = parked_by_site_.find(site);
    if (at == parked_by_site_.end()) return;
    for (auto const& key : at->second) {
        auto& parked = parked_.at(key);
        // It may have been refused this very moment, by the one that the other one was taken by.
        auto const early = std::max(now, parked.work.first_tried + age) + std::chrono::seconds(1);
        if (early >= std::min(parked.work.due, parked.early)) continue;
        early_.erase({parked.early, key});
        parked.early = early;
        early_.emplace(early, key);
    }
}

void Scheduler::unpark(const WorkKey& key) {
    auto const at = parked_.find(key);
    if (at == parked_.end()) return;
    early_.erase({at->second.early, key});
    auto const site = parked_by_site_.find(at->second.site);
    site->second.erase(key);
    if (site->second.empty()) parked_by_site_.erase(site);
    parked_.erase(at);
}

void Scheduler::call_early(Time now) {
    while (!early_.empty() && early_.begin()->first <= now) {
        auto work = parked_.at(early_.begin()->second).work;
        unpark(work.key);
        // Without room it comes when it is due.
        if (!room(work.klass)) continue;
        auto& stream = stream_of(stream_name(work));
        if (take_in(stream, std::move(work), nullptr)) attend(stream, now);
    }
}

}  // namespace millrace::relay
