// The part of the scheduler that keeps the lanes: rings, slow start, pauses.
#include <algorithm>

#include "common/base/check.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

/// How long a site that could not be reached is left alone.
Duration outage_pause(unsigned failures) {
    using namespace std::chrono_literals;
    static constexpr std::array<Duration, 6> steps{30s, 1min, 2min, 5min, 10min, 15min};
    return steps[std::min<std::size_t>(failures == 0 ? 0 : failures - 1, steps.size() - 1)];
}

}  // namespace

void Scheduler::enter_rings(DestinationQueue& queue) {
    for (unsigned klass = 0; klass < 2; ++klass) {
        if (queue.in_ring[klass] || queue.ready[klass].empty()) {
            continue;
        }
        queue.in_ring[klass] = true;
        queue.lane->ring[klass].push_back(&queue);
        queue.lane->ready += queue.ready[klass].size();
    }
}

void Scheduler::leave_rings(DestinationQueue& queue) {
    for (unsigned klass = 0; klass < 2; ++klass) {
        if (!std::exchange(queue.in_ring[klass], false)) {
            continue;
        }
        std::erase(queue.lane->ring[klass], &queue);
        queue.lane->ready -= queue.ready[klass].size();
    }
}

void Scheduler::leave_lane(DestinationQueue& queue) {
    if (queue.lane == nullptr) {
        return;
    }
    leave_rings(queue);
    auto const site = queue.lane->site;
    --queue.lane->queues;
    queue.lane = nullptr;
    tidy(site);
}

void Scheduler::succeeded(const std::string& site) {
    auto const at = lanes_.find(site);
    if (at == lanes_.end()) {
        return;
    }
    auto& lane = at->second;
    lane.failures = 0;
    lane.allowed = std::min(lane.allowed + 1, std::max(1U, limits_.lane.connections));
}

void Scheduler::idle_ended(const std::string& site) {
    auto const at = lanes_.find(site);
    MILLRACE_CHECK(at != lanes_.end() && at->second.idle > 0);
    --at->second.idle;
}

void Scheduler::connection_closed(const std::string& site, const ConnectionEnd& end, Time now) {
    auto const at = lanes_.find(site);
    MILLRACE_CHECK(at != lanes_.end() && at->second.connections > 0 && connections_ > 0);
    auto& lane = at->second;
    --lane.connections;
    --connections_;
    if (end.was_idle) {
        --lane.idle;
    }
    if (!end.reached && now >= lane.connect_after) {
        ++lane.failures;
        lane.allowed = 1;
        lane.connect_after = now + outage_pause(lane.failures);
        lane.pause_reason = end.reason;
    }
    attend(lane, now);
}

void Scheduler::pause(const std::string& site, Time until, std::string reason) {
    auto& lane = lane_of(site, until);
    if (until <= lane.paused_until) {
        return;
    }
    lane.paused_until = until;
    lane.pause_reason = std::move(reason);
    attend(lane, until);
}

void Scheduler::hold_connections(const std::string& site, Time until, std::string reason) {
    auto& lane = lane_of(site, until);
    lane.allowed =
        std::max(1U, std::min(lane.allowed, lane.connections) - (lane.connections > 0 ? 1U : 0U));
    if (until <= lane.connect_after) {
        return;
    }
    lane.connect_after = until;
    lane.pause_reason = std::move(reason);
    attend(lane, until);
}

void Scheduler::resume(const std::string& site, Time now) {
    auto const at = lanes_.find(site);
    if (at == lanes_.end()) {
        return;
    }
    at->second.paused_until = {};
    at->second.connect_after = {};
    attend(at->second, now);
}

}  // namespace millrace::relay
