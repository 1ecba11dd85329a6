// The part of the scheduler that holds bulk mail whose recipients a provider does not know, until an
// operator lets it go.
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

unsigned Scheduler::release_lists(const OrderTarget& target, Time now) {
    std::set<const Share*> behind;  // of a destination or a site
    bool const by_place = target.axis == OrderAxis::destination || target.axis == OrderAxis::site;
    for (auto const& [name, stream] : streams_) {
        if (by_place && stream.lane != nullptr && is_of(stream, target)) {
            behind.insert(&stream.lane->share->share);
        }
    }
    unsigned released = 0;
    for (auto& [name, state] : shares_) {
        auto& share = state.share;
        bool const here = behind.contains(&share) || is_of(share, target);
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
