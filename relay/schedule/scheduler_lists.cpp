// The part of the scheduler that holds bulk mail whose recipients a provider does not know, until an
// operator lets it go; and that tries what is shut on his word.
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

bool Scheduler::list_held(const StreamQueue& stream) {
    if (!stream.bulk() || stream.lane == nullptr) return false;
    auto const& lists = stream.lane->share->share.lists();
    return !lists.holds().empty() && lists.held(stream.party()) != nullptr;
}

void Scheduler::unknown_user(const std::string& lane_name,
                             const std::string& name,
                             bool unknown,
                             const std::string& said,
                             Time now) {
    auto& lane = lanes_.at(lane_name);
    auto& state = *lane.share;
    state.share.unknown_user(unknown, now);
    if (lane.direct && !state.warm_ups.empty()) {
        auto const sender_domain = parse_stream(name).sender_domain;
        for (auto& [domain, warm_up] : state.warm_ups) {
            if (domain.empty() || domain == sender_domain) warm_up.recipient(unknown, now);
        }
    }
    auto const stream = streams_.find(name);
    if (stream == streams_.end() || !stream->second.bulk()) return;
    if (!state.share.list_told(stream->second.party(), unknown, said, now)) return;
    for (auto& [other, held] : streams_) {
        if (held.lane != nullptr && held.lane->share == &state && list_held(held)) leave_turns(held);
    }
}

/// The shares that mail of the target goes through; none for one of an account or a sender's domain.
std::set<const Share*> Scheduler::shares_of(const OrderTarget& target) const {
    std::set<const Share*> out;
    for (auto const& [name, stream] : streams_) {
        if (stream.lane == nullptr) continue;
        bool const named = target.axis == OrderAxis::destination
                               ? stream.key.destination == target.name
                               : target.axis == OrderAxis::site &&
                                     stream.destination.site == target.name;
        if (named) out.insert(&stream.lane->share->share);
    }
    for (auto const& [name, state] : shares_) {
        auto const& share = state.share;
        bool const named =
            target.axis == OrderAxis::all ||
            (target.axis == OrderAxis::provider && share.provider() == target.name) ||
            (target.axis == OrderAxis::source && share.source() == target.name);
        if (named) out.insert(&share);
    }
    return out;
}

unsigned Scheduler::knock(const OrderTarget& target, Time now) {
    auto const meant = shares_of(target);
    unsigned doors = 0;
    for (auto& [name, state] : shares_) {
        if (meant.contains(&state.share)) {
            doors += state.share.knock(now);
        } else if (target.axis == OrderAxis::sender_domain) {
            doors += state.share.knock(target.name, now);
        }
    }
    std::set<Lane*> lanes;
    for (auto& [name, stream] : streams_) {
        if (stream.lane == nullptr) continue;
        auto& lane = *stream.lane;
        bool const here = target.axis == OrderAxis::destination
                              ? stream.key.destination == target.name
                              : meant.contains(&lane.share->share);
        bool const away = lane.connect_after > now || lane.paused_until > now;
        if (here && away) lanes.insert(&lane);
    }
    for (auto* const lane : lanes) {
        lane->connect_after = lane->paused_until = {};
        ++doors;
    }
    if (doors == 0) return 0;
    for (auto& [name, stream] : streams_)
        attend(stream, now);
    for (auto& [name, state] : shares_)
        attend(state, now);
    return doors;
}

unsigned Scheduler::release_lists(const OrderTarget& target, Time now) {
    auto const behind = shares_of(target);
    unsigned released = 0;
    for (auto& [name, state] : shares_) {
        auto& share = state.share;
        bool const here = behind.contains(&share);
        std::vector<std::string> parties;
        for (auto const& [party, hold] : share.lists().holds()) {
            bool const meant =
                here || (target.axis == OrderAxis::account && party == target.name) ||
                (target.axis == OrderAxis::sender_domain && party == "@" + target.name);
            if (meant) parties.push_back(party);
        }
        for (auto const& party : parties)
            released += share.release_list(party) ? 1 : 0;
    }
    if (released == 0) return 0;
    for (auto& [name, stream] : streams_) {
        if (stream.bulk()) attend(stream, now);
    }
    return released;
}

}  // namespace millrace::relay
