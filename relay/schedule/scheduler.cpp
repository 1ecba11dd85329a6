#include "relay/schedule/scheduler.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace::relay {
namespace {

constexpr unsigned refill_size = 200;      // works read from disk at a time
constexpr std::size_t refill_below = 100;  // … when fewer than this are ready
constexpr std::size_t ready_per_queue =
    1'000;  // arrivals beyond wait on disk: one domain never fills the window
constexpr std::size_t works_per_connection = 8;  // one more connection for each so many ready works
constexpr unsigned bulk_turn = 8;  // bulk goes first on every eighth pick, so it never starves

unsigned index_of(Class klass) {
    return klass == Class::bulk ? 1 : 0;
}

}  // namespace

Scheduler::Scheduler(ScheduleLimits limits) : limits_(limits) {}

void Scheduler::configure(const ScheduleLimits& limits, Time now) {
    limits_ = limits;
    for (auto& [site, lane] : lanes_) {
        lane.connection_rate.set_rate(limits.lane.connections_per_second, now);
        lane.message_rate.set_rate(limits.lane.messages_per_second, now);
        attend(lane, now);
    }
}

// ---- what there is

DestinationQueue& Scheduler::queue_of(const std::string& destination) {
    return queues_.try_emplace(destination, destination).first->second;
}

Lane& Scheduler::lane_of(const std::string& site, Time now) {
    return lanes_.try_emplace(site, site, limits_.lane, now).first->second;
}

void Scheduler::noticed(const std::string& destination, Time due) {
    auto& queue = queue_of(destination);
    queue.disk_due = std::min(queue.disk_due, due);
    if (due <= queue.cursor.due) {
        queue.dirty = true;
    }
    attend(queue, due);
}

std::shared_ptr<const Hot> Scheduler::keep_hot(Envelope envelope, Body body) const {
    if (*hot_used_ + body->size() > limits_.hot_bytes_max) {
        return nullptr;
    }
    return std::make_shared<const Hot>(std::move(envelope), std::move(body), hot_used_);
}

void Scheduler::arrived(std::span<const Work> works, std::shared_ptr<const Hot> hot, Time now) {
    for (auto const& work : works) {
        auto& queue = queue_of(work.destination);
        // What is due on disk goes first: an arrival may only skip the disk when nothing waits
        // there.
        bool const straight = queue.disk_due > now && !queue.refilling && room() &&
                              queue.ready_count() < ready_per_queue && work.due <= now &&
                              !work.held;
        if (!straight || !take_in(queue, work, hot)) {
            if (!work.held) {
                noticed(work.destination, work.due);
            }
            continue;
        }
        attend(queue, now);
    }
}

bool Scheduler::take_in(DestinationQueue& queue, Work work, std::shared_ptr<const Hot> hot) {
    auto const [at, fresh] = window_.try_emplace(work.key, Place{&queue, false});
    if (!fresh) {
        return false;
    }
    auto const klass = index_of(work.klass);
    queue.ready[klass].push_back({std::move(work), std::move(hot)});
    if (queue.in_ring[klass]) {
        ++queue.lane->ready;
    }
    return true;
}

DestinationQueue* Scheduler::leave_window(const WorkKey& key) {
    auto const at = window_.find(key);
    if (at == window_.end()) {
        return nullptr;
    }
    auto* const queue = at->second.queue;
    if (at->second.flying) {
        --queue->in_flight;
    }
    window_.erase(at);
    if (queue->refilling) {
        queue->settled_meanwhile.insert(key);
    }
    return queue;
}

// ---- agendas

void Scheduler::attend(DestinationQueue& queue, Time at) {
    if (at >= queue.agenda) {
        return;
    }
    if (queue.agenda != never) {
        queue_agenda_.erase({queue.agenda, queue.name});
    }
    queue.agenda = at;
    queue_agenda_.emplace(at, queue.name);
}

void Scheduler::attend(Lane& lane, Time at) {
    if (at >= lane.agenda) {
        return;
    }
    if (lane.agenda != never) {
        lane_agenda_.erase({lane.agenda, lane.site});
    }
    lane.agenda = at;
    lane_agenda_.emplace(at, lane.site);
}

Plan Scheduler::plan(Time now) {
    Plan plan;
    while (!queue_agenda_.empty() && queue_agenda_.begin()->first <= now) {
        auto& queue = queues_.at(queue_agenda_.begin()->second);
        queue_agenda_.erase(queue_agenda_.begin());
        queue.agenda = never;
        look_at(queue, now, plan);
    }
    while (!lane_agenda_.empty() && lane_agenda_.begin()->first <= now) {
        auto const site = lane_agenda_.begin()->second;
        auto& lane = lanes_.at(site);
        lane_agenda_.erase(lane_agenda_.begin());
        lane.agenda = never;
        look_at(lane, now, plan);
        tidy(site);
    }
    // Sites that the total kept waiting, in turn: whoever got a connection last is asked last.
    while (connections_ < limits_.connections_total && !wants_connection_.empty()) {
        auto at = wants_connection_.upper_bound(last_admitted_);
        if (at == wants_connection_.end()) {
            at = wants_connection_.begin();
        }
        last_admitted_ = *at;
        wants_connection_.erase(at);
        if (auto const lane = lanes_.find(last_admitted_); lane != lanes_.end()) {
            look_at(lane->second, now, plan);
        }
    }
    if (!queue_agenda_.empty()) {
        plan.wake_at = queue_agenda_.begin()->first;
    }
    if (!lane_agenda_.empty()) {
        plan.wake_at = std::min(plan.wake_at, lane_agenda_.begin()->first);
    }
    return plan;
}

void Scheduler::look_at(DestinationQueue& queue, Time now, Plan& plan) {
    bool const disk = queue.disk_due <= now && !queue.refilling;
    if (queue.ready_count() == 0 && !disk) {
        if (queue.disk_due != never && !queue.refilling) {
            attend(queue, queue.disk_due);
        }
        tidy(queue);
        return;
    }
    if (queue.routing) {
        return;
    }
    if (queue.lane == nullptr || now >= queue.route_until) {
        leave_rings(queue);
        queue.routing = true;
        plan.resolve.push_back(queue.name);
        return;
    }
    enter_rings(queue);
    attend(*queue.lane, now);
    if (!disk || queue.ready_count() >= refill_below) {
        if (!disk && queue.disk_due != never && !queue.refilling) {
            attend(queue, queue.disk_due);
        }
        return;
    }
    if (!room()) {
        wants_room_.insert(queue.name);
        return;
    }
    queue.refilling = true;
    queue.disk_due = never;
    plan.refill.push_back({queue.name, queue.cursor, refill_size});
}

void Scheduler::look_at(Lane& lane, Time now, Plan& plan) {
    if (lane.ready == 0) {
        return;
    }
    if (now < lane.paused_until) {
        attend(lane, lane.paused_until);
        return;
    }
    if (!lane.message_rate.ready(now)) {
        attend(lane, lane.message_rate.next(now));
        return;
    }
    auto covered = std::size_t{0};
    while (lane.idle > 0 && covered < lane.ready) {
        --lane.idle;
        ++covered;
        plan.wake.push_back(lane.site);
    }
    auto wanted = std::min<std::size_t>(
        {limits_.lane.connections, lane.allowed, 1 + (lane.ready - 1) / works_per_connection});
    if (lane.message_rate.limited()) {
        wanted = std::min(wanted, static_cast<std::size_t>(limits_.lane.messages_per_second) + 1);
    }
    while (lane.connections < wanted) {
        if (now < lane.connect_after) {
            attend(lane, lane.connect_after);
            return;
        }
        if (!lane.connection_rate.ready(now)) {
            attend(lane, lane.connection_rate.next(now));
            return;
        }
        if (connections_ >= limits_.connections_total) {
            wants_connection_.insert(lane.site);
            return;
        }
        lane.connection_rate.take(now);
        ++lane.connections;
        ++connections_;
        plan.connect.push_back(lane.site);
    }
}

// ---- answers

void Scheduler::routed(const std::string& destination,
                       const std::string& site,
                       Time valid_until,
                       Time now) {
    auto& queue = queue_of(destination);
    queue.routing = false;
    queue.route_until = valid_until;
    auto& lane = lane_of(site, now);
    if (queue.lane != &lane) {
        leave_lane(queue);
        queue.lane = &lane;
        ++lane.queues;
    }
    attend(queue, now);
}

void Scheduler::refilled(const std::string& destination,
                         std::vector<Work> works,
                         unsigned asked,
                         Time now) {
    auto& queue = queue_of(destination);
    queue.refilling = false;
    auto const settled = std::exchange(queue.settled_meanwhile, {});
    bool through = works.size() < asked;
    for (auto& work : works) {
        if (work.due > now || !room()) {
            // Either the first one that is not due yet, or no room for it: the pass stops before
            // it.
            queue.disk_due = std::min(queue.disk_due, work.due);
            through = work.due > now;
            break;
        }
        queue.cursor = {work.due, work.key};
        if (!settled.contains(work.key)) {
            take_in(queue, std::move(work), nullptr);
        }
        if (!through) {
            queue.disk_due = std::min(queue.disk_due, queue.cursor.due);
        }
    }
    if (through) {
        queue.cursor = {};
        if (std::exchange(queue.dirty, false)) {
            queue.disk_due = std::min(queue.disk_due, now);
        }
    }
    attend(queue, now);
}

void Scheduler::refill_failed(const std::string& destination, Time again) {
    auto& queue = queue_of(destination);
    queue.refilling = false;
    queue.settled_meanwhile.clear();
    queue.disk_due = std::min(queue.disk_due, again);
    attend(queue, again);
}

std::optional<Pick> Scheduler::next(const std::string& site, unsigned max, Time now) {
    auto& lane = lane_of(site, now);
    if (now >= lane.paused_until && lane.message_rate.ready(now)) {
        unsigned klass = 0;
        while (auto* const queue = turn(lane, klass)) {
            if (now >= queue->route_until) {
                leave_rings(*queue);
                attend(*queue, now);
                continue;
            }
            lane.message_rate.take(now);
            auto pick = take_front(*queue, klass, max);
            begin_flight(*queue, pick);
            return pick;
        }
    }
    ++lane.idle;
    attend(lane, std::max({now, lane.paused_until, lane.message_rate.next(now)}));
    return std::nullopt;
}

DestinationQueue* Scheduler::turn(Lane& lane, unsigned& klass) {
    bool const bulk_first = lane.transactional_streak >= bulk_turn;
    klass = (bulk_first && !lane.ring[1].empty()) || lane.ring[0].empty() ? 1 : 0;
    if (lane.ring[klass].empty()) {
        return nullptr;
    }
    lane.transactional_streak = klass == 1 ? 0 : lane.transactional_streak + 1;
    auto* const queue = lane.ring[klass].front();
    lane.ring[klass].pop_front();
    lane.ring[klass].push_back(queue);
    return queue;
}

Pick Scheduler::take_front(DestinationQueue& queue, unsigned klass, unsigned max) {
    auto& ready = queue.ready[klass];
    Pick pick{queue.name, queue.lane->site, ready.front().work.key.message, {}, ready.front().hot};
    while (!ready.empty() && pick.works.size() < max &&
           ready.front().work.key.message == pick.message) {
        pick.works.push_back(std::move(ready.front().work));
        ready.pop_front();
        --queue.lane->ready;
    }
    if (ready.empty()) {
        auto& ring = queue.lane->ring[klass];
        std::erase(ring, &queue);
        queue.in_ring[klass] = false;
    }
    if (queue.ready_count() < refill_below && !queue.refilling) {
        attend(queue, queue.disk_due);
    }
    return pick;
}

void Scheduler::begin_flight(DestinationQueue& queue, const Pick& pick) {
    for (auto const& work : pick.works) {
        auto const at = window_.find(work.key);
        MILLRACE_CHECK(at != window_.end() && !at->second.flying);
        at->second.flying = true;
    }
    queue.in_flight += pick.works.size();
}

std::vector<Pick> Scheduler::take_all(const std::string& site) {
    std::vector<Pick> picks;
    auto const at = lanes_.find(site);
    if (at == lanes_.end()) {
        return picks;
    }
    for (unsigned klass = 0; klass < 2; ++klass) {
        auto& ring = at->second.ring[klass];
        while (!ring.empty()) {
            auto& queue = *ring.front();
            picks.push_back(take_front(queue, klass, ~0U));
            begin_flight(queue, picks.back());
        }
    }
    return picks;
}

void Scheduler::put_back(Pick pick, Time now) {
    auto& queue = queue_of(pick.destination);
    for (auto work = pick.works.rbegin(); work != pick.works.rend(); ++work) {
        auto const at = window_.find(work->key);
        MILLRACE_CHECK(at != window_.end() && at->second.flying);
        at->second.flying = false;
        --queue.in_flight;
        auto const klass = index_of(work->klass);
        queue.ready[klass].push_front({std::move(*work), pick.hot});
        if (queue.in_ring[klass]) {
            ++queue.lane->ready;
        }
    }
    attend(queue, now);
}

void Scheduler::finished(const WorkKey& key) {
    auto* const queue = leave_window(key);
    if (queue == nullptr) {
        return;
    }
    tidy(*queue);
    while (room() && !wants_room_.empty()) {
        auto const name = *wants_room_.begin();
        wants_room_.erase(wants_room_.begin());
        if (auto const at = queues_.find(name); at != queues_.end()) {
            attend(at->second, at->second.disk_due);
            break;  // one for one: each departure lets one destination try
        }
    }
}

void Scheduler::deferred(const Work& work) {
    if (!work.held) {
        noticed(work.destination, work.due);
    }
    finished(work.key);
}

bool Scheduler::in_flight(const WorkKey& key) const {
    auto const at = window_.find(key);
    return at != window_.end() && at->second.flying;
}

bool Scheduler::claim(const Work& work) {
    auto& queue = queue_of(work.destination);
    auto const [at, fresh] = window_.try_emplace(work.key, Place{&queue, false});
    if (at->second.flying) {
        return false;
    }
    at->second.flying = true;
    ++queue.in_flight;
    if (fresh) {
        return true;
    }
    for (unsigned klass = 0; klass < 2; ++klass) {
        auto& ready = queue.ready[klass];
        auto const found =
            std::ranges::find_if(ready, [&](const ReadyWork& r) { return r.work.key == work.key; });
        if (found == ready.end()) {
            continue;
        }
        ready.erase(found);
        if (queue.in_ring[klass]) {
            --queue.lane->ready;
            if (ready.empty()) {
                std::erase(queue.lane->ring[klass], &queue);
                queue.in_ring[klass] = false;
            }
        }
    }
    if (!queue.refilling) {
        attend(queue, queue.disk_due);
    }
    return true;
}

}  // namespace millrace::relay
