#include "relay/schedule/block.hpp"

#include <algorithm>

#include "common/base/planted.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

struct Waits {
    Duration first, most;
};

Waits waits_for(Blame cause) {
    switch (cause) {
        case Blame::reputation:
        case Blame::compliance:
        case Blame::sender:
            return {1h, 24h};
        case Blame::blocklist:
            // Asking again does not help; somebody has to act.
            return {4h, 24h};
        case Blame::receiver_ill:
        case Blame::tls:
            return {30s, 15min};
        default:
            // Nobody knows what it meant: rather too patient.
            return {1min, 30min};
    }
}

/// A block soon after the last one is the same trouble.
constexpr Duration remembered_for = 24h;

}  // namespace

void Block::refused(const Typed& typed, Time now, const std::string& said) {
    auto const cause = typed.blame;
    auto const least = typed.pause;
    // What was on its way when the door was shut.
    if (shut(now) && learned_.cause == cause) return;
    auto const waits = waits_for(cause);
    bool const same = typed.escalate && learned_.cause == cause && learned_.length > Duration::zero() &&
                      (learned_.times > 0 || now - passed_ < remembered_for);
    auto const wait =
        same ? std::min<Duration>(learned_.length * 2, waits.most) : std::max(waits.first, least);
    if (learned_.times == 0 || learned_.cause != cause) learned_.since = now;
    learned_.times = learned_.cause == cause ? learned_.times + 1 : 1;
    learned_.cause = cause;
    learned_.length = wait;
    learned_.until = std::max(learned_.until, now + std::max(wait, least));
    if (planted("block-probed")) learned_.until = now + 10min;
    learned_.said = said;
    learned_.rule = typed.rule;
}

bool Block::knock(Time then) {
    if (!shut(then)) return false;
    learned_.until = then;
    return true;
}

void Block::passed(Time now) {
    if (learned_.times == 0) return;
    learned_.times = 0;
    learned_.until = {};
    passed_ = now;
    // Trouble of minutes is over when it is over; of reputation a memory stays.
    if (waits_for(learned_.cause).most < 1h) learned_.length = {};
}

}  // namespace millrace::relay
