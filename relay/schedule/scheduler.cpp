#include "relay/schedule/scheduler.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace::relay {
namespace {

// Works of a stream that are read from disk at a time, when fewer than half of that are ready.
constexpr std::size_t portion_most = 200;
constexpr std::size_t portion_least = 8;
constexpr std::size_t portions_free = 64;
// Of arrivals so many portions; what is beyond waits on disk: one stream never fills the window.
constexpr std::size_t arrival_portions = 5;
/// What has to wait longer than this waits on disk.
constexpr Duration long_wait = std::chrono::minutes(1);
/// When a site has become another's and its connections still stand: look again then.
constexpr Duration another_provider_after = std::chrono::seconds(30);
/// How often memory is searched for such mail, while others want room.
constexpr Duration search_every = std::chrono::seconds(1);

}  // namespace

Scheduler::Scheduler(ScheduleLimits limits) : limits_(std::move(limits)) {}

void Scheduler::configure(ScheduleLimits limits, Time now) {
    bool const same = limits.sources == limits_.sources;
    limits_ = std::move(limits);
    for (auto& [name, lane] : lanes_) {
        lane.connection_rate.set_rate(limits_.per_site.connections_per_second, now);
        lane.message_rate.set_rate(limits_.per_site.messages_per_second, now);
    }
    for (auto& [name, state] : shares_) {
        state.share.set_ceilings(ceilings_of(state.share.provider()), now);
        set_rations(state, now);
        attend(state, now);
    }
    if (!same) {
        troubles_.clear();
        // Every stream is asked anew where it leaves from.
        for (auto& [name, destination] : destinations_)
            destination.route_until = std::min(destination.route_until, now);
        for (auto& [name, stream] : streams_)
            attend(stream, now);
    }
}

// ---- what there is

StreamQueue& Scheduler::stream_of(const std::string& name) {
    if (auto const at = streams_.find(name); at != streams_.end()) return at->second;
    auto const domain = parse_stream(name).destination;
    auto& destination = destinations_.try_emplace(domain, domain).first->second;
    auto& stream = streams_.try_emplace(name, name, destination).first->second;
    stream.sibling = destination.streams.insert(destination.streams.end(), &stream);
    return stream;
}

void Scheduler::noticed(const std::string& name, Time due) {
    auto& stream = stream_of(name);
    stream.disk_due = std::min(stream.disk_due, due);
    if (due <= stream.cursor.due) {
        stream.dirty = true;
    }
    attend(stream, due);
}

std::shared_ptr<const Hot> Scheduler::keep_hot(Envelope envelope, Body body) const {
    if (*hot_used_ + body->size() > limits_.hot_bytes_max) {
        return nullptr;
    }
    return std::make_shared<const Hot>(std::move(envelope), std::move(body), hot_used_);
}

void Scheduler::arrived(std::span<const Work> works, std::shared_ptr<const Hot> hot, Time now) {
    for (auto const& work : works) {
        auto& stream = stream_of(stream_name(work));
        if (held_by_order(stream, work, now)) {
            continue;
        }
        // What is due on disk goes first: an arrival may only skip the disk when nothing waits
        // there.
        bool const straight = stream.disk_due > now && !stream.refilling && room(stream) &&
                              ready_for(stream, now) < arrival_portions * portion() &&
                              work.due <= now && !work.held;
        if (!straight || !take_in(stream, work, hot)) {
            if (!work.held) {
                noticed(stream.name, work.due);
            }
            continue;
        }
        attend(stream, now);
    }
}

/// Bulk leaves a part of the window free: what is urgent never waits for a list to shrink.
bool Scheduler::room(Class klass) const {
    if (window_.size() >= limits_.window) return false;
    return klass != Class::bulk || bulk_in_memory_ < limits_.window - limits_.window / 4;
}

/// No provider takes more than is left for the others: a slow one with thousands of domains behind
/// it would fill the window, and fast ones would wait for its pace.
bool Scheduler::room(const StreamQueue& stream) const {
    if (!room(stream.key.klass)) return false;
    if (stream.lane == nullptr) return true;
    return stream.lane->share->ready[stream.bulk() ? 1 : 0] < left(stream.key.klass);
}

std::size_t Scheduler::left(Class klass) const {
    auto const most = klass == Class::bulk ? limits_.window - limits_.window / 4 : limits_.window;
    auto const used = klass == Class::bulk ? bulk_in_memory_ : window_.size();
    return most - std::min(most, used);
}

/// The fuller the window, the smaller the portions: many streams find room in it.
std::size_t Scheduler::portion() const {
    auto const free = limits_.window - std::min(limits_.window, window_.size());
    return std::clamp(free / portions_free, portion_least, portion_most);
}

/// … and what a provider may have is divided among its sites, else some of them are never read.
std::size_t Scheduler::portion(const StreamQueue& stream) const {
    if (stream.lane == nullptr) return portion();
    auto const& share = *stream.lane->share;
    auto const most = (left(stream.key.klass) + share.ready[stream.bulk() ? 1 : 0]) / 2;
    return std::clamp<std::size_t>(most / share.lanes.size(), 1, portion());
}

/// Until when nothing of the stream can start, as far as that is known; `now`: not held.
Time Scheduler::held_until(const StreamQueue& stream, Time now) const {
    if (stream.lane == nullptr) return now;
    if (list_held(stream)) return never;
    auto const& lane = *stream.lane;
    auto const& share = lane.share->share;
    auto at = std::max({now,
                        lane.paused_until,
                        share.message_at(now),
                        share.sender_at(stream.key.sender_domain, now)});
    if (auto const stopped = stopped_until(stream, now); stopped > at) {
        at = std::min(stopped, std::max(at, refuge_from(stream, now)));
    }
    if (lane.standing == 0) at = std::max({at, lane.connect_after, share.connect_at(now)});
    return at;
}

/// Mail that cannot go for long leaves its place in memory to others, and is read again then: a
/// provider that blocks us does not stop the rest.
void Scheduler::free_window(Time now) {
    if (now < searched_ + search_every) return;
    searched_ = now;
    for (auto& [name, stream] : streams_) {
        if (stream.ready.empty() || stream.refilling) continue;
        divert(stream, now);
        auto const at = std::max(held_until(stream, now), stopped_until(stream, now));
        if (at <= now + long_wait) continue;
        leave_turns(stream);
        for (auto const& ready : stream.ready) {
            left_to_disk(stream, ready.work, at);
            if (stream.bulk()) --bulk_in_memory_;
            window_.erase(ready.work.key);
        }
        stream.ready.clear();
        recount(stream);
        stream.cursor = {};
        attend(stream, at);
    }
}

bool Scheduler::take_in(StreamQueue& stream, Work work, std::shared_ptr<const Hot> hot) {
    auto const [at, fresh] = window_.try_emplace(work.key, Place{&stream, false});
    if (!fresh) {
        return false;
    }
    if (stream.bulk()) ++bulk_in_memory_;
    stream.ready.push_back({std::move(work), std::move(hot)});
    counted(stream, 1);
    return true;
}

StreamQueue* Scheduler::leave_window(const WorkKey& key) {
    unpark(key);
    bound_.erase(key);
    auto const at = window_.find(key);
    if (at == window_.end()) {
        return nullptr;
    }
    auto* const stream = at->second.stream;
    if (at->second.flying) {
        --stream->in_flight;
    }
    if (stream->bulk()) --bulk_in_memory_;
    window_.erase(at);
    if (stream->refilling) {
        stream->settled_meanwhile.insert(key);
    }
    settled_at_home(*stream, key);
    return stream;
}

// ---- agendas

void Scheduler::attend(StreamQueue& stream, Time at) {
    if (at >= stream.agenda) {
        return;
    }
    if (stream.agenda != never) {
        stream_agenda_.erase({stream.agenda, stream.name});
    }
    stream.agenda = at;
    stream_agenda_.emplace(at, stream.name);
}

void Scheduler::attend(ShareState& share, Time at) {
    if (at >= share.agenda) {
        return;
    }
    if (share.agenda != never) {
        share_agenda_.erase({share.agenda, share.name});
    }
    share.agenda = at;
    share_agenda_.emplace(at, share.name);
}

Plan Scheduler::plan(Time now) {
    Plan plan;
    call_early(now);
    if (orders_.next_end() <= now) {
        orders_.end(now);
        orders_changed(now);
    }
    while (!stream_agenda_.empty() && stream_agenda_.begin()->first <= now) {
        auto& stream = streams_.at(stream_agenda_.begin()->second);
        stream_agenda_.erase(stream_agenda_.begin());
        stream.agenda = never;
        look_at(stream, now, plan);
    }
    while (!share_agenda_.empty() && share_agenda_.begin()->first <= now) {
        auto& share = shares_.at(share_agenda_.begin()->second);
        share_agenda_.erase(share_agenda_.begin());
        share.agenda = never;
        serve(share, now, plan);
    }
    // Lanes that the total kept waiting, in turn: whoever got a connection last is asked last.
    while (connections_ < limits_.connections_total && !wants_connection_.empty()) {
        auto at = wants_connection_.upper_bound(last_admitted_);
        if (at == wants_connection_.end()) {
            at = wants_connection_.begin();
        }
        last_admitted_ = *at;
        wants_connection_.erase(at);
        if (auto const lane = lanes_.find(last_admitted_); lane != lanes_.end()) {
            serve(lane->second, now, plan);
        }
    }
    promise(plan, now);
    plan.wake_at = orders_.next_end();
    if (!stream_agenda_.empty()) {
        plan.wake_at = std::min(plan.wake_at, stream_agenda_.begin()->first);
    }
    if (!share_agenda_.empty()) {
        plan.wake_at = std::min(plan.wake_at, share_agenda_.begin()->first);
    }
    if (!early_.empty()) plan.wake_at = std::min(plan.wake_at, early_.begin()->first);
    return plan;
}

void Scheduler::look_at(StreamQueue& stream, Time now, Plan& plan) {
    bool const disk = stream.disk_due <= now && !stream.refilling;
    if (stream.ready.empty() && !disk) {
        if (stream.disk_due != never && !stream.refilling) {
            attend(stream, stream.disk_due);
        }
        tidy(stream);
        return;
    }
    if (held_by_order(stream, now)) {
        set_aside(stream, now);
        return;  // nothing is read from disk for it, nothing looked up
    }
    auto& destination = stream.destination;
    if (destination.routing) {
        return;
    }
    if (stream.lane == nullptr && now < destination.route_until) join_lane(stream, now);
    if (stream.lane == nullptr || now >= destination.route_until) {
        for (auto* const sibling : destination.streams) {
            leave_turns(*sibling);
        }
        destination.routing = true;
        plan.resolve.push_back(destination.name);
        return;
    }
    if (list_held(stream)) {
        leave_turns(stream);
        return;  // until release_lists()
    }
    divert(stream, now);
    if (auto const at = stopped_until(stream, now); at > now) {
        leave_turns(stream);
        attend(stream, at);
    } else if (stream.ready.empty() || covered(stream, now)) {
        enter_turns(stream);
    } else {
        leave_turns(stream);
    }
    attend(*stream.lane->share, now);
    // In time: else a connection is opened for it before anybody sees that its route has run out.
    if (stream.in_turns) attend(stream, destination.route_until);
    if (!disk || ready_for(stream, now) >= (portion(stream) + 1) / 2) {
        if (!disk && stream.disk_due != never && !stream.refilling) {
            attend(stream, stream.disk_due);
        }
        return;
    }
    if (auto const at = held_until(stream, now); at > now + long_wait) {
        attend(stream, at);
        return;
    }
    if (!room(stream)) {
        free_window(now);
    }
    if (!room(stream)) {
        wants_room_.insert(stream.name);
        attend(stream, searched_ + search_every);
        return;
    }
    stream.refilling = true;
    stream.disk_due = never;
    plan.refill.push_back({stream.name, stream.cursor, static_cast<unsigned>(portion(stream))});
}

// ---- answers

void Scheduler::routed(const std::string& name,
                       const std::string& site,
                       const std::string& provider,
                       Time valid_until,
                       Time now,
                       const Families& there,
                       bool direct) {
    auto const found = destinations_.find(name);
    if (found == destinations_.end()) return;
    auto& destination = found->second;
    destination.routing = false;
    destination.route_until = valid_until;
    destination.site = site;
    destination.provider = provider;
    destination.there = there;
    destination.direct = direct;
    for (auto* const stream : destination.streams) {
        auto& lane = lane_of(choose_source(*stream), destination, now);
        // Connections that stand still count for the one before: it is asked again when they are
        // gone.
        if (lane.share->share.provider() != provider) {
            destination.route_until = std::min(valid_until, now + another_provider_after);
        }
        if (stream->lane != &lane) {
            leave_lane(*stream);
            stream->lane = &lane;
            recount(*stream);
            ++lane.queues;
        }
        set_aside(*stream, now);
        attend(*stream, now);
    }
}

void Scheduler::route_again(const std::string& site, Time now) {
    for (auto& [name, destination] : destinations_) {
        if (destination.site != site || destination.routing) continue;
        destination.route_until = now;
        for (auto* const stream : destination.streams)
            attend(*stream, now);
    }
}

void Scheduler::refilled(const std::string& name,
                         std::vector<Work> works,
                         unsigned asked,
                         Time now) {
    auto& stream = stream_of(name);
    stream.refilling = false;
    auto const settled = std::exchange(stream.settled_meanwhile, {});
    bool through = works.size() < asked;
    for (auto& work : works) {
        if (work.due > now || !room(stream)) {
            // Either the first one that is not due yet, or no room for it: the pass stops before
            // it.
            stream.disk_due = std::min(stream.disk_due, work.due);
            through = work.due > now;
            break;
        }
        stream.cursor = {work.due, work.key};
        if (!settled.contains(work.key) && !held_by_order(stream, work, now)) {
            take_in(stream, std::move(work), nullptr);
        }
    }
    if (!through) {
        // Only here: a pass that has come to its end would begin again at once, and again.
        stream.disk_due = std::min(stream.disk_due, stream.cursor.due);
    } else {
        stream.cursor = {};
        if (std::exchange(stream.dirty, false)) {
            stream.disk_due = std::min(stream.disk_due, now);
        }
    }
    attend(stream, now);
}

void Scheduler::refill_failed(const std::string& name, Time again) {
    auto& stream = stream_of(name);
    stream.refilling = false;
    stream.settled_meanwhile.clear();
    stream.disk_due = std::min(stream.disk_due, again);
    attend(stream, again);
}

Pick Scheduler::take_front(StreamQueue& stream, unsigned max) {
    auto& ready = stream.ready;
    Pick pick{stream.name,
              stream.lane->name,
              stream.lane->site,
              ready.front().work.key.message,
              {},
              ready.front().hot};
    while (!ready.empty() && pick.works.size() < max &&
           ready.front().work.key.message == pick.message) {
        pick.works.push_back(std::move(ready.front().work));
        ready.pop_front();
        counted(stream, -1);
    }
    if (ready.empty()) {
        leave_turns(stream);
    }
    if (ready.size() < (portion(stream) + 1) / 2 && !stream.refilling) {
        attend(stream, stream.disk_due);
        attend_homes(stream);
    }
    return pick;
}

void Scheduler::begin_flight(StreamQueue& stream, const Pick& pick) {
    for (auto const& work : pick.works) {
        auto const at = window_.find(work.key);
        MILLRACE_CHECK(at != window_.end() && !at->second.flying);
        at->second.flying = true;
    }
    stream.in_flight += pick.works.size();
}

void Scheduler::put_back(Pick pick, Time now) {
    auto& stream = stream_of(pick.stream);
    for (auto work = pick.works.rbegin(); work != pick.works.rend(); ++work) {
        auto const at = window_.find(work->key);
        MILLRACE_CHECK(at != window_.end() && at->second.flying);
        at->second.flying = false;
        --stream.in_flight;
        if (limits_.sources.sources().size() > 1 && bound_.size() < limits_.window) {
            bound_.insert(work->key);
        }
        stream.ready.push_front({std::move(*work), pick.hot});
        counted(stream, 1);
    }
    set_aside(stream, now);
    attend(stream, now);
}

void Scheduler::finished(const WorkKey& key) {
    auto* const stream = leave_window(key);
    if (stream == nullptr) {
        return;
    }
    tidy(*stream);
    if (!wants_room_.empty()) {
        // One for one: each departure lets one stream try, in turn.
        auto next = wants_room_.upper_bound(last_let_in_);
        if (next == wants_room_.end()) next = wants_room_.begin();
        last_let_in_ = *next;
        wants_room_.erase(next);
        if (auto const at = streams_.find(last_let_in_); at != streams_.end()) {
            attend(at->second, at->second.disk_due);
        }
    }
}

void Scheduler::deferred(const Work& work) {
    if (!work.held) {
        noticed(stream_name(work), work.due);
    }
    finished(work.key);
}

bool Scheduler::in_flight(const WorkKey& key) const {
    auto const at = window_.find(key);
    return at != window_.end() && at->second.flying;
}

bool Scheduler::claim(const Work& work) {
    unpark(work.key);
    auto const [at, fresh] =
        window_.try_emplace(work.key, Place{&stream_of(stream_name(work)), false});
    if (at->second.flying) {
        return false;
    }
    at->second.flying = true;
    auto& stream = *at->second.stream;
    ++stream.in_flight;
    if (fresh) {
        if (stream.bulk()) ++bulk_in_memory_;
        return true;
    }
    auto const found = std::ranges::find_if(
        stream.ready, [&](const ReadyWork& r) { return r.work.key == work.key; });
    if (found != stream.ready.end()) {
        stream.ready.erase(found);
        counted(stream, -1);
        if (stream.ready.empty()) leave_turns(stream);
    }
    if (!stream.refilling) {
        attend(stream, stream.disk_due);
    }
    return true;
}

}  // namespace millrace::relay
