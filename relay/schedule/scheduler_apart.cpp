// The part of the scheduler that finds out when sites count as one receiver and are two. A back end
// that shuts us out does so at all of its names: where one refuses our address while others of the
// same provider take mail, and again, and again, it is somebody else's.
#include <algorithm>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

constexpr unsigned apart_enough = 3;
constexpr std::size_t apart_most = 100;

}  // namespace

void Scheduler::compare(Lane& lane, const Answer& answer, Time now) {
    auto const& typed = answer.typed;
    bool const shut = (typed.blame == Blame::reputation || typed.blame == Blame::blocklist) &&
                      typed.axis == Axis::source;
    if (!shut || lane.share->lanes.size() < 2) return;
    if (lane.passed_at > lane.shut_at) lane.apart = 0;
    bool const first = lane.apart == 0;
    bool const others = std::ranges::any_of(lane.share->lanes, [&](const Lane* other) {
        return other != &lane && other->passed_at > lane.shut_at;
    });
    if (first || others) ++lane.apart;
    lane.shut_at = now;
    if (lane.apart < apart_enough) return;
    lane.apart = 0;
    if (apart_.size() < apart_most) apart_.push_back(lane.site);
}

}  // namespace millrace::relay
