// The part of the scheduler that forgets what is empty, and shows people the rest.
#include <algorithm>

#include "common/base/check.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

void Scheduler::tidy(DestinationQueue& queue) {
    bool const empty = queue.ready_count() == 0 && queue.in_flight == 0 && !queue.refilling &&
                       !queue.routing && queue.disk_due == never;
    if (!empty) {
        return;
    }
    leave_lane(queue);
    if (queue.agenda != never) {
        queue_agenda_.erase({queue.agenda, queue.name});
    }
    wants_room_.erase(queue.name);
    queues_.erase(std::string(queue.name));
}

void Scheduler::tidy(const std::string& site) {
    auto const at = lanes_.find(site);
    if (at == lanes_.end()) {
        return;
    }
    auto const& lane = at->second;
    // A lane that is limited or being punished is remembered: forgetting would grant it a fresh
    // start.
    bool const plain = lane.connections == 0 && lane.queues == 0 && lane.failures == 0 &&
                       lane.agenda == never && !lane.message_rate.limited() &&
                       !lane.connection_rate.limited() && lane.paused_until == Time{} &&
                       lane.connect_after == Time{};
    if (plain) {
        wants_connection_.erase(site);
        lanes_.erase(at);
    }
}

DestinationView Scheduler::view(const DestinationQueue& queue, Time now) const {
    DestinationView v;
    v.destination = queue.name;
    v.ready = queue.ready_count();
    v.in_flight = queue.in_flight;
    v.next_due = v.ready > 0 ? now : queue.disk_due;
    if (queue.routing) {
        v.wait_reason = "looking up where to deliver";
    }
    if (queue.lane == nullptr) {
        return v;
    }
    auto const& lane = *queue.lane;
    v.site = lane.site;
    v.connections = lane.connections;
    if (now < lane.paused_until) {
        v.wait_reason = lane.pause_reason;
        v.wait_until = lane.paused_until;
    } else if (now < lane.connect_after && lane.connections == 0) {
        v.wait_reason = lane.pause_reason;
        v.wait_until = lane.connect_after;
    } else if (!lane.message_rate.ready(now)) {
        v.wait_reason = "rate limit: messages per second";
        v.wait_until = lane.message_rate.next(now);
    } else if (lane.connections >= std::min(limits_.lane.connections, lane.allowed) &&
               v.ready > 0) {
        v.wait_reason = "all allowed connections are busy";
    } else if (connections_ >= limits_.connections_total && v.ready > 0) {
        v.wait_reason = "the limit of connections in total is reached";
    }
    return v;
}

std::vector<DestinationView> Scheduler::destinations(Time now) const {
    std::vector<DestinationView> views;
    views.reserve(queues_.size());
    for (auto const& [name, queue] : queues_) {
        views.push_back(view(queue, now));
    }
    return views;
}

std::optional<DestinationView> Scheduler::destination(const std::string& name, Time now) const {
    auto const at = queues_.find(name);
    if (at == queues_.end()) {
        return std::nullopt;
    }
    return view(at->second, now);
}

std::vector<std::pair<std::string, Time>> Scheduler::pauses(Time now) const {
    std::vector<std::pair<std::string, Time>> out;
    for (auto const& [site, lane] : lanes_) {
        auto const until = std::max(lane.paused_until, lane.connect_after);
        if (until > now) {
            out.emplace_back(site, until);
        }
    }
    return out;
}

}  // namespace millrace::relay
