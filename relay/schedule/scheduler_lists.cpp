// The part of the scheduler that holds bulk mail whose recipients a provider does not know, until
// an operator lets it go; and that tries what is shut on his word.
#include <algorithm>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

constexpr Duration between_knocks = std::chrono::seconds(7);  // nine a minute are the most

}  // namespace

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
        if (held.lane != nullptr && held.lane->share == &state && list_held(held))
            leave_turns(held);
    }
}

/// Whether mail of the target goes through it, as far as that can be told without its mail.
bool Scheduler::is_of(const Share& share, const OrderTarget& target) const {
    switch (target.axis) {
        case OrderAxis::all:
            return true;
        case OrderAxis::provider:
            return share.provider() == target.name;
        case OrderAxis::source: {
            auto const* const ours = limits_.sources.find(share.source());
            return share.source() == target.name ||
                   (ours != nullptr && std::ranges::count(ours->addresses, target.name) > 0);
        }
        default:
            return false;
    }
}

/// … and for this stream, which has a lane.
bool Scheduler::is_of(const StreamQueue& stream, const OrderTarget& target) const {
    switch (target.axis) {
        case OrderAxis::destination:
            return stream.key.destination == target.name;
        case OrderAxis::site:
            return stream.destination.site == target.name;
        case OrderAxis::sender_domain:
            return stream.key.sender_domain == target.name;
        case OrderAxis::account:
            return stream.key.account == target.name;
        default:
            return is_of(stream.lane->share->share, target);
    }
}

unsigned Scheduler::knock(const OrderTarget& target, Time now) {
    // One after the other: they may all be refused, and some by one receiver.
    unsigned doors = 0;
    auto const then = [&] {
        return now + doors * between_knocks;
    };
    bool const by_sender =
        target.axis == OrderAxis::sender_domain || target.axis == OrderAxis::account;
    for (auto& [name, stream] : streams_) {
        if (stream.lane == nullptr || !is_of(stream, target)) continue;
        auto& lane = *stream.lane;
        auto& share = lane.share->share;
        doors += share.knock(stream.key.sender_domain, then()) ? 1 : 0;
        if (by_sender) continue;
        doors += share.knock(then()) ? 1 : 0;
        if (lane.connect_after <= now && lane.paused_until <= now) continue;
        lane.connect_after = lane.paused_until = {};
        ++doors;
    }
    // Also where nothing is waiting at the moment.
    for (auto& [name, state] : shares_) {
        if (is_of(state.share, target)) doors += state.share.knock(then()) ? 1 : 0;
        if (target.axis == OrderAxis::sender_domain) {
            doors += state.share.knock(target.name, then()) ? 1 : 0;
        }
    }
    if (doors == 0) return 0;
    for (auto& [name, stream] : streams_)
        attend(stream, now);
    for (auto& [name, state] : shares_)
        attend(state, now);
    return doors;
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
