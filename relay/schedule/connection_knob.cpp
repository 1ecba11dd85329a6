#include "relay/schedule/connection_knob.hpp"

#include <algorithm>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Up to here a connection more for each message that went through; beyond, the more stand the more
/// it takes: a receiver that counts messages, not connections, then refuses only a few at once.
constexpr unsigned quick = 4;
constexpr unsigned messages_per_growth = 2;
/// A receiver sees the end of a connection a little later than we do.
constexpr Duration unseen_for = 1s;
/// While the limit lies in an open interval: one more every …
constexpr Duration search_every = 2min;
constexpr Duration probe_first = 1h;
constexpr Duration probe_most = 24h;
/// With nothing standing the number cannot be the reason that we can change: rest, longer each
/// time.
constexpr Duration hold_first = 30s;
constexpr Duration hold_most = 15min;

}  // namespace

bool ConnectionKnob::just_closed(Time now) const {
    return last_closed_ != Time{} && now - last_closed_ < unseen_for;
}

unsigned ConnectionKnob::allowed(Time now) const {
    auto most = std::max(1U, ceiling_);
    if (learned_.bad > 0) {
        bool const closed = learned_.bad <= learned_.good + 1;
        bool const probe = closed ? calm_ && now >= learned_.probe_after : now >= grow_after_;
        if (closed) {
            most = std::min(most, probe ? learned_.bad : learned_.bad - 1);
        } else {
            most = std::min(most, std::min(learned_.bad - 1, learned_.good + (probe ? 1 : 0)));
        }
    } else if (learned_.since != Time{}) {
        // A limit that was known has given way: one more an hour.
        most = std::min(most, learned_.good + (calm_ && now >= grow_after_ ? 1 : 0));
    }
    return std::max(1U, std::min(most, target_));
}

unsigned ConnectionKnob::more(unsigned standing, unsigned opening, Time now) const {
    if (now < hold_until_) return 0;
    auto const most = allowed(now);
    auto const total = standing + opening;
    if (total >= most) return 0;
    auto const known = std::min(most, std::max(1U, learned_.good));
    if (total < known) return known - total;
    // Beyond what is known: one, and its answer first.
    return opening == 0 ? 1 : 0;
}

Time ConnectionKnob::not_before() const {
    return lingers_ ? std::max(hold_until_, last_closed_ + unseen_for) : hold_until_;
}

void ConnectionKnob::greeted(unsigned standing, Time now) {
    hold_ = {};
    if (standing <= learned_.good) return;
    learned_.good = standing;
    falls_ = 0;
    if (learned_.bad > 0 && standing >= learned_.bad) {
        learned_.bad = 0;
        learned_.confirmed = 0;
    }
    if (learned_.since != Time{}) {
        grow_after_ = now + (learned_.bad == 0 ? probe_first : search_every);
    }
}

void ConnectionKnob::passed(unsigned standing, Time now) {
    if (standing < target_ || target_ >= ceiling_) return;
    if (standing >= allowed(now) && allowed(now) < target_) return;
    // What is known need not be found out again.
    bool const known = target_ < learned_.good;
    ++grown_;
    if (known || target_ < quick || grown_ >= messages_per_growth * target_) {
        ++target_;
        grown_ = 0;
    }
}

void ConnectionKnob::refused(unsigned standing, Time now, const std::string& said, Duration least) {
    learned_.said = said;
    bool const unexpected = standing == 0 || (standing < learned_.good &&
                                              (learned_.bad == 0 || learned_.bad > standing + 1));
    if (just_closed(now) && unexpected) {
        // Perhaps it still counts the one that has just ended; then it does so every time.
        lingers_ = true;
        hold_until_ = std::max(hold_until_, now + unseen_for);
        last_closed_ = {};
        return;
    }
    if (standing == 0) {
        hold_ = std::clamp<Duration>(hold_ * 2, hold_first, hold_most);
        hold_until_ = now + std::max(hold_, least);
        learned_.since = now;
        learned_.good = std::min(learned_.good, 1U);
        target_ = 1;
        return;
    }
    bool const again = learned_.bad == standing + 1 && learned_.good == standing;
    bool const fell = learned_.bad > standing + 1;
    bool const first = learned_.since == Time{};
    bool const together = now - learned_.since < unseen_for;
    learned_.bad = standing + 1;
    learned_.good = std::min(learned_.good, standing);
    learned_.confirmed = again ? learned_.confirmed + 1 : 0;
    learned_.since = now;
    auto const wait =
        std::min<Duration>(probe_first * (1 << std::min(learned_.confirmed, 5U)), probe_most);
    learned_.probe_after = now + wait;
    if (!together) falls_ = fell && !first ? falls_ + 1 : 0;
    if (falls_ >= 2) {
        // The limit has moved far down; step by step each step would be a refusal.
        learned_.good = std::max(1U, standing / 2);
        falls_ = 0;
        grow_after_ = now + search_every;
    }
    target_ = std::max(1U, std::min(target_, learned_.bad - 1));
    target_ = std::max(target_, learned_.good);
    hold_until_ = std::max(hold_until_, now + std::max<Duration>(least, unseen_for));
}

}  // namespace millrace::relay
