#include "relay/schedule/rate_knob.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Duration first_rest = 1s;
/// A long rest lets a small bucket run over, and what runs over is not measured.
constexpr Duration shortest_rest = 50ms;
constexpr Duration longest_rest = 30min;
/// A measure of fewer is not enough to stop searching.
constexpr std::uint64_t enough = 10;
constexpr double just_under = 0.97;
/// While the limit is being looked for: this much more for every `scale`.
constexpr double search_step = 1.10;
/// Once it is known: so much more, every twenty minutes, at most a fifth an hour.
constexpr double probe_step = 1.05;
constexpr Duration probe_every = 20min;
constexpr double hourly_step = 1.20;
/// A search that long without a refusal has found that there is no limit near.
constexpr double unlimited_above = 2'000;
/// Never slower than a message in ten minutes: with few messages a measure says little, and mail
/// must not wait for days on the word of two of them.
constexpr double slowest_pace = 1.0 / 600;
/// Timers come late; so much of the pace may be made up for.
constexpr double slack_seconds = 0.02;

double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

/// At most a month: a pace of nearly nothing is no span that a clock can add.
Duration of_seconds(double s) {
    constexpr double month = 30 * 86400;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(s, month)));
}

}  // namespace

Time RateKnob::next(Time now) const {
    auto at = std::max(now, learned_.rest_until);
    if (learned_.pace > 0) {
        auto const latest =
            std::max(last_take_, learned_.rest_until) + of_seconds(1 / slowest_pace);
        at = std::max(at, std::min(next_at_, latest));
    }
    return at;
}

void RateKnob::take(Time now) {
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
    if (learned_.pace <= 0) return;
    next_at_ -= of_seconds(gap_);
}

void RateKnob::passed(Time began, Time now) {
    ++learned_.passed;
    if (anchor_ == Time{}) return;
    if (began >= reacted_) {
        ++passed_since_refusal_;
    }
    ++passed_since_anchor_;
    // It takes again: after a long closed door the measure is how much it took before, over the
    // whole time until it opened.
    if (learned_.exploring && passed_since_refusal_ == 1 && learned_.rest >= 4 * first_rest &&
        !lapsed_) {
        auto const span = seconds(now - learned_.began);
        learned_.pace = 0.9 * static_cast<double>(learned_.passed) / std::max(1.0, span);
        learned_.good = 0;
        scale_ = now - anchor_;
        learned_.exploring = false;
        raise_at_ = now + scale_;
        next_at_ = now + of_seconds(1 / learned_.pace);
        begin_segment(now);
    }
}

void RateKnob::begin_segment(Time now) {
    anchor_ = now;
    passed_since_anchor_ = 0;
    slowest_ = learned_.pace;
    lapsed_ = false;
}

void RateKnob::refused(Time began, Time now, Duration least) {
    // Whoever started before we could react is part of the same refusal.
    bool const same = anchor_ != Time{} && began < reacted_;
    last_refusal_ = now;
    ++learned_.refusals;
    if (same) return;
    reacted_ = now;
    learned_.since = now;
    // It had held: what it allows has changed, and what was measured before says nothing.
    bool const changed = std::exchange(learned_.settled, false);
    bool const again_at_once = anchor_ != Time{} && passed_since_refusal_ == 0;
    if (again_at_once) {
        if (narrowing_) {
            // One rest was long enough, half of it was not: one message in between.
            narrowing_ = false;
            learned_.exploring = false;
            learned_.pace = just_under / (2 * seconds(learned_.rest));
            learned_.good = learned_.pace;
            learned_.bad = 1 / seconds(learned_.rest);
            scale_ = first_rest;
            raise_at_ = now + scale_;
            begin_segment(now);
        }
        // The rest was too short.
        learned_.rest = std::clamp<Duration>(learned_.rest * 2, first_rest, longest_rest);
    } else {
        if (anchor_ == Time{} || lapsed_ || changed) {
            // Nothing to measure by: what it allows must be found out from here.
            if (learned_.pace > 0) {
                learned_.bad =
                    learned_.bad > 0 ? std::min(learned_.bad, learned_.pace) : learned_.pace;
                learned_.pace *= changed ? 0.9 : 0.7;
                learned_.good = std::min(learned_.good, learned_.pace);
                raise_at_ = now + std::max<Duration>(scale_, of_seconds(4 / learned_.pace));
            } else {
                learned_.exploring = true;
            }
            begin_segment(now);
        } else if (learned_.exploring && passed_since_refusal_ <= 2 &&
                   learned_.rest <= first_rest && learned_.rest > shortest_rest) {
            // It hardly saves up: then how short a rest brings one message?
            narrowing_ = true;
            learned_.rest /= 2;
            begin_segment(now);
            learned_.rest_until = now + std::max(learned_.rest, least);
            passed_since_refusal_ = 0;
            return;
        } else {
            narrowing_ = false;
            measure(now);
        }
        learned_.rest = first_rest;
        if (learned_.pace > 0) {
            learned_.rest =
                std::clamp<Duration>(of_seconds(2 / learned_.pace), shortest_rest, 10 * first_rest);
        }
    }
    learned_.rest = std::max(learned_.rest, least);
    learned_.rest_until = now + learned_.rest;
    passed_since_refusal_ = 0;
    next_at_ = learned_.rest_until;
}

/// From refusal to refusal: so much it lets through.
void RateKnob::measure(Time now) {
    auto const span = seconds(now - anchor_);
    auto const count = passed_since_anchor_;
    if (count == 0 || span <= 0) return;
    auto const rate = static_cast<double>(count) / span;
    auto const error = 1.0 / static_cast<double>(count);
    // Slower than it allows for long, and its bucket ran over: then it allows more than it took.
    bool const exact = learned_.exploring || slowest_ >= 0.8 * rate;
    auto const tried = learned_.pace;
    learned_.good = rate * (1 - error);
    learned_.bad = exact ? rate * (1 + error) : std::max(tried, rate * (1 + error));
    if (exact && count >= enough && !learned_.exploring) {
        learned_.pace = just_under * rate;
        learned_.settled = true;
        raise_at_ = now + probe_every;
        hour_base_ = learned_.pace;
        hour_at_ = now;
    } else {
        auto const guess = exact ? rate * (1 - error / 2) : std::sqrt(rate * tried);
        learned_.pace = std::min(just_under, 1 - error / 4) * guess;
        scale_ = std::max(scale_, first_rest);
        raise_at_ = now + std::max(scale_, learned_.rest);
    }
    if (!exact || learned_.exploring) begin_segment(now);
    slowest_ = learned_.pace;
    learned_.exploring = false;
}

void RateKnob::raise(Time now) {
    if (now < raise_at_) return;
    if (!calm_) {
        raise_at_ = now + probe_every;
        return;
    }
    if (learned_.settled) {
        if (now - hour_at_ >= 1h) {
            hour_at_ = now;
            hour_base_ = learned_.pace;
        }
        learned_.good = std::max(learned_.good, learned_.pace);
        learned_.pace = std::min(learned_.pace * probe_step, hour_base_ * hourly_step);
        raise_at_ = now + probe_every;
        // Longer spans than this say nothing any more about what it allows now.
        begin_segment(now);
        lapsed_ = true;
        return;
    }
    learned_.good = std::max(learned_.good, learned_.pace);
    // A few messages at each pace, else the bucket hides for long what the pace was too much.
    auto const step = std::max<Duration>({scale_, first_rest, of_seconds(4 / learned_.pace)});
    // A slow pace looks here seldom; a long silence is no reason to hurry.
    bool const steady = now - last_take_ <= step;
    auto const late = steady ? std::clamp(seconds(now - raise_at_) / seconds(step), 0.0, 3.0) : 0.0;
    learned_.pace *= std::pow(search_step, 1 + std::floor(late));
    raise_at_ = now + step;
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
    learned_.exploring = false;
    narrowing_ = false;
    raise_at_ = never;
}

void RateKnob::lapse(Time) {
    lapsed_ = true;
    if (learned_.pace <= 0 && anchor_ == Time{}) {
        learned_.began = {};
        learned_.passed = 0;
    }
}

void RateKnob::restore(const Learned& learned, Time now) {
    learned_ = learned;
    lapsed_ = !learned.exploring;
    anchor_ = learned.exploring ? learned.since : learned.pace > 0 ? now : Time{};
    reacted_ = now;
    next_at_ = now;
    raise_at_ = now + probe_every;
    hour_base_ = learned.pace;
    hour_at_ = now;
    scale_ = first_rest;
}

}  // namespace millrace::relay
