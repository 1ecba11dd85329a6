#include "relay/schedule/rate_knob.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/base/planted.hpp"
#include "relay/schedule/usual_window.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_rest = 1s;
/// A long rest lets a small bucket run over, and what runs over is not measured.
constexpr Duration shortest_rest = 50ms;
constexpr Duration longest_rest = 1h;
/// A door that was closed for so long, or for three messages of the pace, is tried when it opens:
/// so many messages without a pause tell a window from a bucket.
constexpr Duration long_closed = 3s;
constexpr double gaps_closed = 3;
constexpr unsigned trial_messages = 4;
/// A measure of fewer is not enough to stop searching.
constexpr std::uint64_t enough = 10;
constexpr double just_under = 0.97;
/// While the limit is being looked for: this much more for every `scale`.
constexpr double search_step = 1.10;
/// … where so little has passed that the first guess may be far too low.
constexpr double search_step_most = 1.25;
/// Once it is known: so much more, every twenty minutes, at most a fifth an hour.
constexpr double probe_step = 1.063;
constexpr Duration probe_every = 20min;
/// Who refuses that is asked later and later.
constexpr Duration probe_seldom = 40min;
constexpr double hourly_step = 1.20;
/// A search that long without a refusal has found that there is no limit near.
constexpr double unlimited_above = 2'000;
/// Never slower than a message in ten minutes: with few messages a measure says little, and mail
/// must not wait for days on the word of two of them.
constexpr double slowest_pace = 1.0 / 600;
/// Timers come late; so much of the pace may be made up for.
constexpr double slack_seconds = 0.02;

}  // namespace

Time RateKnob::next(Time now) const {
    auto at = std::max(now, learned_.rest_until);
    if (learned_.pace > 0 && trial_ == 0) {
        auto const latest =
            std::max(last_take_, learned_.rest_until) + of_seconds(1 / slowest_pace);
        at = std::max(at, std::min(next_at_, latest));
    }
    return at;
}

void RateKnob::take(Time now) {
    if (begun_since_refusal_++ == 0) first_begun_ = now;
    if (learned_.began == Time{}) learned_.began = now;
    if (learned_.pace <= 0) return;
    raise(now);
    last_take_ = now;
    // The search may have found that there is no limit near.
    if (learned_.pace <= 0) return;
    gap_ = 1 / learned_.pace;
    next_at_ = std::max(next_at_, now - of_seconds(slack_seconds)) + of_seconds(gap_);
}

void RateKnob::give_back() {
    if (begun_since_refusal_ > 0) --begun_since_refusal_;
    if (learned_.pace <= 0) return;
    next_at_ -= of_seconds(gap_);
}

void RateKnob::passed(Time began, Time now) {
    ++learned_.passed;
    if (anchor_ == Time{}) return;
    ++let_in_;
    // The others belong to the time before.
    if (began < reacted_) return;
    auto const before = passed_since_anchor_++;
    ++passed_since_refusal_;
    if (learned_.shut != Time{}) {
        opens(began, now);
    } else if (trial_ > 0 && ++trial_ >= trial_messages) {
        tried(now);
    } else if (learned_.pace > 0 && !learned_.settled && raise_at_ != never && !lapsed_) {
        // It must have had as much as this since it was empty.
        auto const span = seconds(began - anchor_);
        if (span <= seconds(learned_.scale)) return;
        learned_.good = std::max(learned_.good, static_cast<double>(before) / span);
        narrowed(now);
    }
}

/// The first one after a closed door. Only where a knock before was refused, or the receiver named
/// the time, is it known for how long it was closed.
void RateKnob::opens(Time began, Time now) {
    auto const shut = std::exchange(learned_.shut, Time{});
    bool const known = std::exchange(timed_, false);
    if (trial_ > 0) {
        ++trial_;
        return;
    }
    // It opened when it had named, where something else than its word kept us from coming then.
    bool const away = std::exchange(kept_away_, false);
    auto const word = learned_.rest_until - shut;
    bool const kept =
        away && known && knocked_ <= shut && word >= long_closed && began - shut > word + word / 4;
    tried_at_ = began;
    opening_ = kept ? learned_.rest_until : began;
    closed_since_ = shut;
    auto const closed = opening_ - shut;
    auto const gaps = learned_.pace > 0 ? of_seconds(gaps_closed / learned_.pace) : Duration{};
    // Where a message takes long, many start before one has been taken: that is no trial.
    if (closed < trial_messages * (now - began)) return;
    if (!known || closed < std::max(long_closed, gaps)) return;
    trial_ = 1;
    learned_.scale = std::max(first_rest, closed);
}

/// Several at once passed after a long wait: it counts in windows.
void RateKnob::tried(Time now) {
    auto const counted = std::exchange(trial_, 0U);
    bool const slow = now - tried_at_ > learned_.scale / 2;
    auto const now_in = static_cast<std::uint64_t>(counted);
    if (slow && anchor_ != Time{} && !lapsed_) {
        // They took so long that it may be either; it takes at least that.
        learned_.pace = std::max(
            learned_.pace, static_cast<double>(passed_since_anchor_) / seconds(now - anchor_));
        learned_.exploring = false;
        raise_at_ = now + learned_.scale;
        next_at_ = now + of_seconds(1 / learned_.pace);
        slowest_ = std::min(slowest_, learned_.pace);
        return;
    }
    windowed_ = true;
    search_by_ = search_step;
    auto const earlier = std::exchange(opened_, tried_at_);
    auto const let_in = std::exchange(let_in_, now_in);
    learned_.exploring = false;
    learned_.good = 0;
    learned_.bad = 0;
    if (earlier != Time{} && !lapsed_ && let_in > now_in) {
        auto const n = let_in - now_in;
        auto const rate = static_cast<double>(n) / seconds(opening_ - earlier);
        auto const error = 1.0 / static_cast<double>(n);
        learned_.scale = opening_ - earlier;
        window_ = window_of(learned_.scale);
        settle(just_under * rate, now);
        learned_.good = rate * (1 - error);
        learned_.bad = rate * (1 + error);
        if (learned_.rest > learned_.scale / 8) {
            // Nobody knows for how long it had been open when it was tried.
            learned_.settled = false;
            learned_.bad = 0;
            window_ = {};
            raise_at_ = now + learned_.scale;
        }
    } else if (learned_.pace > 0 && (lapsed_ || !whole_)) {
        // Nothing to measure by: what was known, until it opens again.
        learned_.scale = std::max(learned_.scale, probe_every);
        raise_at_ = now + learned_.scale;
    } else {
        // It opened between the last knock and this one.
        bool const early = !turned_ && knocked_ > closed_since_;
        auto const open = early ? knocked_ + (opening_ - knocked_) / 2 : opening_;
        auto const n = static_cast<double>(learned_.passed - now_in);
        learned_.scale = open - learned_.began;
        auto const rate = std::max(1.0, n) / std::max(1.0, seconds(learned_.scale));
        learned_.pace = learned_.pace > 0 ? std::min(learned_.pace, 0.9 * rate) : 0.9 * rate;
        // A few messages say little.
        if (n < enough) learned_.scale = std::min<Duration>(learned_.scale, probe_every);
        raise_at_ = now + learned_.scale;
    }
    next_at_ = now + of_seconds(1 / learned_.pace);
    begin_segment(tried_at_);
    passed_since_anchor_ = now_in;
}

void RateKnob::begin_segment(Time now) {
    anchor_ = now;
    passed_since_anchor_ = 0;
    slowest_ = learned_.pace;
    lapsed_ = false;
    knocked_since_anchor_ = false;
}

void RateKnob::settle(double pace, Time now) {
    learned_.pace = pace;
    learned_.settled = true;
    settled_at_ = pace;
    if (probe_wait_ == Duration{}) probe_wait_ = probe_every;
    raise_at_ = now + probe_wait_;
    hour_base_ = pace;
    hour_at_ = now;
}

/// Where what is known to be taken and what is refused come close, that is it.
void RateKnob::narrowed(Time now) {
    auto& l = learned_;
    if (l.bad > 0 && l.good >= l.bad) l.bad = 0;  // its bucket ran over when that was refused
    if (l.bad <= 0 || !calm_) {
        l.pace = calm_ ? std::max(l.pace, just_under * l.good) : l.pace;
        return;
    }
    l.pace = std::max(l.pace, std::min((l.good + l.bad) / 2, just_under * l.bad));
    if (passed_since_anchor_ >= enough && l.good >= 0.92 * l.bad) {
        settle(std::min((l.good + l.bad) / 2, just_under * l.bad), now);
    }
}

void RateKnob::refused(Time began, Time now, Duration least, unsigned flying) {
    if (planted("rest-ignored")) least = {};
    // Whoever started before we could react is part of the same refusal.
    bool const same = anchor_ != Time{} && began < reacted_;
    ++learned_.refusals;
    if (same) return;
    reacted_ = now;
    learned_.since = now;
    // A refusal comes at once: whatever began since the last one and is still under way was taken.
    auto const begun = std::exchange(begun_since_refusal_, 0U);
    auto const settled = passed_since_refusal_ + 1;
    auto const taken = begun > settled ? std::min<std::uint64_t>(flying, begun - settled) : 0;
    passed_since_refusal_ += taken;
    passed_since_anchor_ += taken;
    // A door that has just opened: a window gives back what it took as slowly as it took it, a
    // bucket will refuse again.
    auto const shut = trial_ > 0 ? closed_since_ : learned_.shut;
    if (shut != Time{} && passed_since_refusal_ > 0 && now - shut >= long_closed) {
        learned_.rest_until = now + std::max<Duration>(least, (now - shut) / 16);
        passed_since_refusal_ = 0;
        return;
    }
    bool const at_once = anchor_ != Time{} && passed_since_refusal_ == 0;
    if (learned_.shut == Time{}) {
        kept_away_ = false;
        learned_.shut = now;
        timed_ = least > Duration::zero();
    } else {
        timed_ = true;
        knocked_ = now;
    }
    auto rest = first_rest;
    if (at_once && trial_ == 0) {
        narrow(now);
        knocked_since_anchor_ = true;
        // The rest was too short.
        rest = rest_after(std::clamp<Duration>(learned_.rest * 2, first_rest, longest_rest), now);
    } else if (anchor_ == Time{} || (lapsed_ && !learned_.settled && trial_ == 0)) {
        // Nothing to measure by: what it allows must be found out from here.
        if (learned_.pace > 0) {
            learned_.bad = learned_.pace;
            learned_.pace *= 0.7;
            learned_.good = std::min(learned_.good, learned_.pace);
            raise_at_ = now + std::max<Duration>(learned_.scale, of_seconds(4 / learned_.pace));
        } else {
            learned_.exploring = true;
        }
        begin_segment(now);
    } else if (learned_.exploring && trial_ == 0 && passed_since_refusal_ <= 2 &&
               learned_.rest <= first_rest && learned_.rest > shortest_rest &&
               first_begun_ - anchor_ <= 2 * learned_.rest) {
        // It hardly saves up: then how short a rest brings one message? (Where a message takes
        // long, the one under way may have made the rest a long one.)
        narrowing_ = true;
        begin_segment(now);
        rest = learned_.rest / 2;
    } else {
        narrowing_ = false;
        measure(now);
        if (learned_.pace > 0) {
            rest = std::clamp<Duration>(
                of_seconds(1 / learned_.pace), shortest_rest, of_seconds(1 / slowest_pace));
        }
    }
    learned_.rest = std::max(rest, least);
    learned_.rest_until = now + learned_.rest;
    passed_since_refusal_ = 0;
    next_at_ = learned_.rest_until;
}

/// Refused after a rest, again.
void RateKnob::narrow(Time now) {
    if (narrowing_) {
        // One rest was long enough, half of it was not: one message in between.
        narrowing_ = false;
        learned_.exploring = false;
        learned_.pace = just_under / (2 * seconds(learned_.rest));
        learned_.good = learned_.pace;
        learned_.bad = 1 / seconds(learned_.rest);
        learned_.scale = first_rest;
        raise_at_ = now + learned_.scale;
        begin_segment(now);
    }
}

/// A rest that grows; where a window of the receiver's may be over by then, until just after that.
Duration RateKnob::rest_after(Duration rest, Time now) {
    auto const closed = now - learned_.shut;
    turned_ = true;
    // How long its window is has been seen, and when one began.
    if (window_ > Duration{} && opened_ != Time{} && closed >= of_seconds(2 / learned_.pace)) {
        auto const turn = opened_ + window_ * ((now - opened_) / window_ + 1) + window_ / 500;
        return std::min<Duration>(turn - now, 4 * rest);
    }
    auto const best = rest_to_a_turn(rest, now, learned_.began, closed);
    turned_ = best != rest;
    return best;
}

/// From refusal to refusal: so much it lets through.
void RateKnob::measure(Time now) {
    auto& l = learned_;
    if (auto const trial = std::exchange(trial_, 0U); trial > 0) {
        counts_one_by_one(trial, now);
        return;
    }
    auto const span = seconds(now - anchor_);
    auto const count = static_cast<double>(passed_since_anchor_);
    if (count == 0 || span <= 0) return;
    if (l.settled) {
        fall_back(now);
        return;
    }
    auto const rate = count / span;
    auto const error = 1 / count;
    learned_.scale = std::max(first_rest, learned_.scale);
    if (std::exchange(l.exploring, false)) {
        l.good = rate * (1 - error);
        l.bad = 0;  // it may have stood full while we rested
        l.pace = std::min(just_under, 1 - error / 4) * rate * (1 - error / 2);
        search_by_ = std::clamp(1 + error / 2, search_step, search_step_most);
    } else {
        search_by_ = search_step;
        // It was refused at this pace, so it takes less; and at a pace that did not change nothing
        // ran over but in the rest before.
        auto most = l.pace;
        // Where neither the pace nor a closed door held us back, but our connections, what passed is
        // no measure of what it takes.
        bool const used = knocked_since_anchor_ || count + 2 >= 0.8 * slowest_ * span;
        bool const even = used && slowest_ >= 0.95 * l.pace;
        if (even) most = std::min(most, (count + 2) / span);
        l.bad = l.bad > 0 ? std::min(l.bad, most) : most;
        l.good = std::max(l.good, rate * (1 - error));
        if (l.good >= l.bad) l.good = 0.8 * l.bad;
        if (even && count >= enough) {
            settle(just_under * std::min(rate, l.bad), now);
        } else {
            l.pace = std::min(just_under * l.bad, (l.good + l.bad) / 2);
            if (even) l.pace = std::min(l.pace, just_under * (count + 0.5) / span);
            // So many passed that it hardly takes much more.
            if (used && count >= enough) l.pace = std::min(l.pace, 1.04 * l.good);
        }
    }
    if (!l.settled) {
        raise_at_ = now + std::max<Duration>({learned_.scale, l.rest, of_seconds(4 / l.pace)});
    }
    begin_segment(now);
}

/// Few at once after a long wait: it counts with a bucket, which has been filling since the door
/// closed. A knock that was refused before says how much it can have at most.
void RateKnob::counts_one_by_one(unsigned passed, Time now) {
    auto& l = learned_;
    l.exploring = false;
    l.settled = false;
    if (std::exchange(windowed_, false) && l.pace > 0) {
        // It gave back many at once before, so it counts in a window that slides: where we paused,
        // nothing comes back for a while. Only when that happens again it has changed its ways.
        l.bad = l.pace;
        l.good = 0;
        l.pace *= 0.85;
        raise_at_ = now + std::max<Duration>(l.scale, of_seconds(4 / l.pace));
        begin_segment(now);
        return;
    }
    auto const n = static_cast<double>(passed);
    auto const span = std::max(1e-3, seconds(now - closed_since_));
    window_ = {};
    l.good = (n - 1) / span;
    l.bad = (n + 1) / span;
    if (passed == 1 && knocked_ > closed_since_) l.bad = 1 / seconds(knocked_ - closed_since_);
    l.pace = just_under * n / span;
    learned_.scale = first_rest;
    raise_at_ = now + of_seconds(4 / l.pace);
    begin_segment(now);
}

/// Refused at a pace that had held. After it was raised, that was too much: back to what it was,
/// and a longer time until the next attempt. Once, a little less; again soon, and the limit has
/// moved.
void RateKnob::fall_back(Time now) {
    auto& l = learned_;
    bool const raised = l.pace > settled_at_;
    if (raised) {
        probe_wait_ = std::min<Duration>(probe_wait_ * 2, probe_seldom);
        auto const rate =
            lapsed_ ? 0.0 : static_cast<double>(passed_since_anchor_) / seconds(now - anchor_);
        l.bad = l.pace;
        auto const most = just_under * l.pace;
        settle(std::min(most, std::max(settled_at_, just_under * rate)), now);
        l.good = std::min(l.good, l.pace);
    } else if (passed_since_refusal_ >= enough) {
        l.bad = l.pace;
        settle(just_under * l.pace, now);
        l.good = std::min(l.good, l.pace);
    } else {
        l.settled = false;
        l.bad = l.pace;
        l.pace *= 0.85;
        l.good = 0;
        raise_at_ = now + std::max<Duration>(learned_.scale, of_seconds(4 / l.pace));
    }
    begin_segment(now);
}

void RateKnob::raise(Time now) {
    if (now < raise_at_ || trial_ > 0) return;
    if (!calm_) {
        raise_at_ = now + probe_every;
        return;
    }
    if (learned_.settled) {
        if (now - hour_at_ >= 1h) {
            hour_at_ = now;
            hour_base_ = learned_.pace;
            probe_wait_ = probe_every;
        }
        learned_.good = std::max(learned_.good, learned_.pace);
        learned_.pace = std::min(learned_.pace * probe_step, hour_base_ * hourly_step);
        raise_at_ = now + probe_every;
        return;
    }
    // A few messages at each pace, else the bucket hides for long what the pace was too much.
    auto const step =
        std::max<Duration>({learned_.scale, first_rest, of_seconds(4 / learned_.pace)});
    // A slow pace looks here seldom; a long silence is no reason to hurry.
    bool const steady = now - last_take_ <= step;
    auto const late = steady ? std::clamp(seconds(now - raise_at_) / seconds(step), 0.0, 3.0) : 0.0;
    auto const by = learned_.bad > 0 ? search_step : search_by_;
    auto const more = learned_.pace * std::pow(by, 1 + std::floor(late));
    // Between what passed and what was refused it goes by what passes.
    auto const most = lapsed_ ? just_under * learned_.bad : (learned_.good + learned_.bad) / 2;
    learned_.pace = learned_.bad > 0 ? std::max(learned_.pace, std::min(more, most)) : more;
    raise_at_ = now + step;
    // Nothing more is to be found out in steps like these.
    if (learned_.bad > 0 && learned_.pace >= 0.95 * learned_.bad) settle(learned_.pace, now);
    if (learned_.pace > unlimited_above) {
        learned_ = {};
        anchor_ = {};
    }
}

void RateKnob::follow(double pace, Time now) {
    if (!known()) {
        learned_.rest_until = now + of_seconds(1 / pace);
        next_at_ = learned_.rest_until;
        begin_segment(now);
    }
    learned_.pace = pace;
    slowest_ = std::min(slowest_, pace);
    learned_.exploring = false;
    narrowing_ = false;
    trial_ = 0;
    raise_at_ = never;
}

void RateKnob::lapse(Time) {
    lapsed_ = true;
    whole_ = false;
    opened_ = {};
    if (learned_.pace <= 0 && anchor_ == Time{}) {
        learned_.began = {};
        learned_.passed = 0;
        whole_ = true;
    }
}

void RateKnob::restore(const Learned& learned, Time now) {
    learned_ = learned;
    lapsed_ = !learned.exploring;
    whole_ = learned.exploring;
    if (learned.exploring && learned.shut == Time{}) {
        // What passed since that was written is not known.
        learned_.began = now;
        learned_.passed = 0;
    }
    anchor_ = learned.exploring || learned.pace > 0 ? now : Time{};
    if (learned.exploring && learned.shut != Time{}) anchor_ = learned.since;
    reacted_ = now;
    // No fresh start: what went out just before the end is not forgotten over there.
    next_at_ = learned.pace > 0 ? now + of_seconds(1 / learned.pace) : now;
    last_take_ = now;
    passed_since_refusal_ = learned.shut == Time{} ? 1 : 0;
    timed_ = learned.shut != Time{} && learned.exploring;
    knocked_ = learned.shut == Time{} ? Time{} : learned.since;
    raise_at_ = now + probe_every;
    hour_base_ = learned.pace;
    hour_at_ = now;
    settled_at_ = learned.pace;
    probe_wait_ = probe_every;
    learned_.scale = std::min<Duration>(learned.scale, 24h);
}

}  // namespace millrace::relay
