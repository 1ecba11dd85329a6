// The part of the scheduler that forgets what is empty, and shows people the rest.
#include <algorithm>
#include <fmt/format.h>

#include "common/base/check.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

void Scheduler::tidy(StreamQueue& stream) {
    auto& destination = stream.destination;
    bool const empty = stream.ready.empty() && stream.in_flight == 0 && !stream.refilling &&
                       !destination.routing && stream.disk_due == never &&
                       stream.order_note.empty();
    if (!empty) {
        return;
    }
    leave_lane(stream);
    if (stream.agenda != never) {
        stream_agenda_.erase({stream.agenda, stream.name});
    }
    wants_room_.erase(stream.name);
    destination.streams.erase(stream.sibling);
    bool const last = destination.streams.empty();
    auto const name = destination.name;
    streams_.erase(std::string(stream.name));
    if (last) destinations_.erase(name);
}

void Scheduler::tidy(const std::string& name) {
    auto const at = lanes_.find(name);
    if (at == lanes_.end()) {
        return;
    }
    auto const& lane = at->second;
    // A lane that is limited or being punished is remembered: forgetting would grant it a fresh
    // start. What its share has learned stays with the share.
    bool const plain = lane.connections() == 0 && lane.queues == 0 && lane.failures == 0 &&
                       !lane.message_rate.limited() && !lane.connection_rate.limited() &&
                       lane.paused_until == Time{} && lane.connect_after == Time{};
    if (plain) {
        leave_ring(at->second);
        lane.share->lanes.erase(&at->second);
        wants_connection_.erase(name);
        lanes_.erase(at);
    }
}

Wait Scheduler::wait(const StreamQueue& stream, Time now) const {
    if (!stream.order_note.empty() && stream.ready.empty()) {
        return {stream.order_note, stream.order_until, {}, {}};
    }
    if (stream.destination.routing) return {"looking up where to deliver", never, {}, {}};
    if (stream.lane == nullptr) return {};
    auto const& lane = *stream.lane;
    auto const& share = lane.share->share;
    if (auto own = source_wait(stream, now); own.any()) return own;
    if (now < lane.paused_until) return {lane.pause_reason, lane.paused_until, {}, {}};
    if (now < lane.connect_after && lane.standing == 0) {
        return {lane.site + " cannot be reached", lane.connect_after, {}, lane.pause_reason};
    }
    if (share.block().shut(now)) return share.wait(now);
    if (list_held(stream)) return share.list_wait(stream.party());
    if (auto held = share.sender_wait(stream.key.sender_domain, now); held.any()) return held;
    if (!lane.message_rate.ready(now)) {
        return {fmt::format("a setting allows {} to a site",
                            pace_text(limits_.per_site.messages_per_second)),
                lane.message_rate.next(now),
                {},
                {}};
    }
    if (stream.ready.empty()) return {};
    if (auto limited = share.wait(now); limited.any()) return limited;
    if (lane.connections() >= limits_.per_site.connections) {
        return {"all connections that a setting allows to a site are busy", never, {}, {}};
    }
    if (connections_ >= limits_.connections_total) {
        return {"all connections that a setting allows in total are in use", never, {}, {}};
    }
    return {};
}

Wait Scheduler::shut_out(const std::string& name, Time now) const {
    auto const at = streams_.find(name);
    if (at == streams_.end() || at->second.lane == nullptr) return {};
    auto const& lane = *at->second.lane;
    if (now < lane.paused_until) return {lane.pause_reason, lane.paused_until, {}, {}};
    if (now < lane.connect_after && lane.standing == 0) {
        return {lane.pause_reason, lane.connect_after, {}, {}};
    }
    return {};
}

DestinationView Scheduler::view(const Destination& destination, Time now) const {
    DestinationView v;
    v.destination = destination.name;
    v.site = destination.site;
    v.provider = destination.provider;
    std::set<const Lane*> lanes;
    for (auto const* const stream : destination.streams) {
        v.ready += stream->ready.size();
        v.in_flight += stream->in_flight;
        v.next_due = std::min(v.next_due, stream->ready.empty() ? stream->disk_due : now);
        if (stream->lane != nullptr && lanes.insert(stream->lane).second) {
            v.connections += stream->lane->connections();
        }
        auto const why = wait(*stream, now);
        if (!why.any()) continue;
        // Of several waits the longest that has an end is the answer.
        bool const better =
            v.wait_reason.empty() ||
            (why.until != never && (v.wait_until == Time{} || why.until > v.wait_until));
        if (!better) continue;
        v.wait_reason = why.reason;
        v.wait_until = why.until == never && stream->order_note.empty() ? Time{} : why.until;
        v.learned = why.learned;
        v.said = why.said;
    }
    return v;
}

std::vector<DestinationView> Scheduler::destinations(Time now) const {
    std::vector<DestinationView> views;
    views.reserve(destinations_.size());
    for (auto const& [name, destination] : destinations_) {
        views.push_back(view(destination, now));
    }
    return views;
}

std::optional<DestinationView> Scheduler::destination(const std::string& name, Time now) const {
    auto const at = destinations_.find(name);
    if (at == destinations_.end()) {
        return std::nullopt;
    }
    return view(at->second, now);
}

}  // namespace millrace::relay
