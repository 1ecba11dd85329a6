// The part of the scheduler that tries what is shut, on the operator's word.
#include <algorithm>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

constexpr Duration between_knocks = std::chrono::seconds(7);  // nine a minute are the most

}  // namespace

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
    unsigned doors = 0, sites = 0;
    // One after the other: they may all be refused, and some by one receiver.
    auto const then = [&] { return now + doors * between_knocks; };
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
        ++sites;
    }
    // Also where nothing is waiting at the moment.
    for (auto& [name, state] : shares_) {
        if (is_of(state.share, target)) doors += state.share.knock(then()) ? 1 : 0;
        if (target.axis == OrderAxis::sender_domain) {
            doors += state.share.knock(target.name, then()) ? 1 : 0;
        }
    }
    if (doors + sites == 0) return 0;
    for (auto& [name, stream] : streams_)
        attend(stream, now);
    for (auto& [name, state] : shares_)
        attend(state, now);
    return doors + sites;
}

}  // namespace millrace::relay
