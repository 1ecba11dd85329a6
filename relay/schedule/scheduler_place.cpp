// The part of the scheduler that tells where one work stands.
#include <algorithm>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

WorkView Scheduler::work(const Work& work, std::optional<std::size_t> before, Time now) const {
    WorkView view;
    view.before = before;
    view.in_flight = in_flight(work.key);
    // It may have been diverted to another source.
    auto const in_memory = window_.find(work.key);
    auto const found = streams_.find(in_memory == window_.end() ? stream_name(work)
                                                                : in_memory->second.stream->name);
    if (found == streams_.end()) return view;
    auto const& mine = found->second;
    view.site = mine.destination.site;
    view.provider = mine.destination.provider;
    view.routing = mine.destination.routing;
    view.wait = wait(mine, now);
    view.ordered = prospect(work, now).standing == Prospect::Standing::ordered;
    if (!view.before) {
        auto const at = std::ranges::find_if(
            mine.ready, [&](const ReadyWork& ready) { return ready.work.key == work.key; });
        if (at != mine.ready.end()) {
            view.before = static_cast<std::size_t>(at - mine.ready.begin());
        }
    }
    if (mine.lane == nullptr) return view;
    auto const& state = *mine.lane->share;
    view.opening = mine.lane->opening > 0 && mine.lane->standing == 0;
    view.source = state.share.source();
    view.connections = state.share.standing() + state.share.opening();
    view.pace = state.share.messages().learned().pace;
    auto const setting = state.share.ceilings().messages_per_second;
    if (setting > 0) view.pace = view.pace > 0 ? std::min(view.pace, setting) : setting;
    // Round robin: until our turn comes for the n-th time, everybody else has had n turns at most.
    auto const turns = view.before.value_or(0) + 1;
    std::set<std::string> parties;
    for (auto const& [name, other] : streams_) {
        if (&other == &mine || other.lane == nullptr || other.lane->share != &state ||
            other.ready.empty()) {
            continue;
        }
        if (other.bulk() == mine.bulk()) {
            view.others += std::min(other.ready.size(), turns);
            parties.insert(other.party());
        } else if (mine.bulk()) {
            view.urgent += other.ready.size();
        }
    }
    parties.erase(mine.party());
    view.parties = parties.size();
    return view;
}

}  // namespace millrace::relay
