#include "relay/schedule/rate_knob.hpp"

#include <cmath>
#include <ostream>
#include <vector>

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

Time at(double seconds) {
    return start + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

/// What a receiver counts by: a bucket that fills, or a window that begins anew.
struct Limit {
    const char* name;
    double rate;    ///< a second; unused with a window
    double burst;   ///< of the bucket, or messages in a window
    double window;  ///< seconds; 0: a bucket
    double takes;   ///< seconds that a message takes
    int messages;
    unsigned connections;
    unsigned refusals;  ///< at most

    double ideal() const {
        if (window > 0) return std::ceil(messages / burst - 1) * window;
        return std::max((messages - burst) / rate, messages * takes / connections);
    }
};

void PrintTo(const Limit& limit, std::ostream* out) {
    *out << limit.name;
}

class Receiver {
  public:
    explicit Receiver(const Limit& limit) : limit_(limit), tokens_(limit.burst) {}
    bool takes(double now) {
        if (limit_.window > 0) {
            if (now - at_ >= limit_.window) {
                at_ += std::floor((now - at_) / limit_.window) * limit_.window;
                tokens_ = limit_.burst;
            }
        } else {
            tokens_ = std::min(limit_.burst, tokens_ + (now - at_) * limit_.rate);
            at_ = now;
        }
        if (tokens_ < 1) return false;
        tokens_ -= 1;
        return true;
    }

  private:
    Limit limit_;
    double tokens_, at_ = 0;
};

class RateKnobModels : public testing::TestWithParam<Limit> {};

// Goal: the rate is found with few refusals, and the whole takes at most 1.25 of the ideal time.
// Method: a sender with some connections and the knob, against a model of a receiver; while one at
// a time goes out the single file widens as a share lets it.
TEST_P(RateKnobModels, AreFoundWithFewRefusals) {
    auto const& limit = GetParam();
    Receiver receiver(limit);
    RateKnob knob;
    struct Flight {
        double end, began;
    };
    std::vector<Flight> flights;
    double now = 0;
    int through = 0;
    unsigned refusals = 0, file = 0;
    while (through < limit.messages && now < 3 * 86'400) {
        std::ranges::sort(flights, {}, &Flight::end);
        while (!flights.empty() && flights.front().end <= now) {
            knob.passed(at(flights.front().began), at(now));
            ++through;
            ++file;
            flights.erase(flights.begin());
        }
        if (through >= limit.messages) break;
        auto const most = knob.one_at_a_time() ? 1 + file / 8 : limit.connections;
        bool const more =
            flights.size() < most && through + static_cast<int>(flights.size()) < limit.messages;
        if (more && knob.ready(at(now))) {
            knob.take(at(now));
            if (receiver.takes(now)) {
                flights.push_back({now + limit.takes, now});
            } else {
                ++refusals;
                file = 0;
                knob.refused(at(now), at(now), {});
            }
            continue;
        }
        double next = 1e18;
        if (!flights.empty()) next = flights.front().end;
        if (more) {
            auto const ready = knob.next(at(now)) - start;
            next = std::min(next, std::chrono::duration<double>(ready).count());
        }
        now = std::max(now + 1e-6, next);
    }
    EXPECT_EQ(through, limit.messages);
    EXPECT_LE(refusals, limit.refusals);
    EXPECT_LE(now, 1.25 * limit.ideal()) << "ideal " << limit.ideal();
    RecordProperty("refusals", static_cast<int>(refusals));
    RecordProperty("of_ideal", std::to_string(now / limit.ideal()));
}

INSTANTIATE_TEST_SUITE_P(
    RateKnob,
    RateKnobModels,
    testing::Values(Limit{"5 a second", 5, 5, 0, 0.02, 300, 4, 8},
                    Limit{"40 a second", 40, 40, 0, 0.02, 1'500, 10, 8},
                    Limit{"10 a second, two connections", 10, 10, 0, 0.02, 400, 2, 8},
                    Limit{"20 a second", 20, 20, 0, 0.02, 600, 5, 8},
                    Limit{"20 a second, a small bucket", 20, 5, 0, 0.02, 1'000, 5, 8},
                    Limit{"3 a second, a slow receiver", 3, 3, 0, 0.3, 300, 5, 8},
                    Limit{"200 a second", 200, 200, 0, 0.05, 20'000, 20, 8},
                    Limit{"100 a second, a small bucket", 100, 10, 0, 0.05, 5'000, 20, 8},
                    Limit{"50 a second, a large bucket", 50, 500, 0, 0.02, 5'000, 10, 8},
                    // Six of them until the door opens for the first time.
                    Limit{"60 in each minute", 0, 60, 60, 0.02, 600, 5, 9},
                    Limit{"100 in each minute", 0, 100, 60, 0.05, 2'000, 10, 9},
                    Limit{"one in 50 seconds", 0.02, 1, 0, 0.2, 400, 5, 24},
                    // The first message is under way for longer than any rest.
                    Limit{"one in 23 seconds, messages of 45", 0.0431, 1, 0, 45, 400, 2, 24},
                    // The connections hold back more than the pace does.
                    Limit{"one in 30 seconds, messages of 59", 0.0327, 2, 0, 59, 400, 2, 24},
                    Limit{"one in 50 seconds, a large bucket", 0.02, 60, 0, 0.2, 600, 5, 24},
                    Limit{"three in each minute", 0, 3, 60, 0.2, 300, 5, 16},
                    // Each hour once; still under 0.5 % of the messages.
                    Limit{"1,000 in each hour", 0, 1'000, 3'600, 0.1, 9'000, 10, 40}));

// Goal: a message that was under way for long is not taken for a short rest that brought one.
// Method: one of 45 s is under way when the second is refused; the third may start only then, and
// the receiver takes one in 23 seconds (a day of tests/days, 381).
TEST(RateKnob, DoesNotCallTheRestShortWhileALongMessageIsUnderWay) {
    RateKnob knob;
    knob.take(at(0));
    knob.take(at(0.01));
    knob.refused(at(0.01), at(0.01), {}, 1);
    knob.passed(at(0), at(45));
    knob.take(at(45));
    knob.passed(at(45), at(51));
    for (auto const now : {51.0, 51.5, 52.5}) {
        if (!knob.ready(at(now))) break;
        knob.take(at(now));
        knob.refused(at(now), at(now), {});
    }
    EXPECT_TRUE(knob.known());
    EXPECT_LT(knob.learned().pace, 0.1);
}

// Goal: where the connections hold back more than the pace, what passed is no measure of the rate.
// Method: two connections, messages of 90 s, so half of the pace; then a refusal (a
// day of tests/days, 663).
TEST(RateKnob, DoesNotFallToWhatTheConnectionsAllow) {
    RateKnob knob;
    RateKnob::Learned before;
    before.pace = 0.06;
    before.good = 0.025;
    knob.restore(before, at(0));
    knob.take(at(60));
    knob.refused(at(60), at(60), {});
    double now = 200;
    for (int pair = 0; pair < 20; ++pair, now += 90) {
        for (int one = 0; one < 2; ++one) {
            auto const began = std::max(at(now), knob.next(at(now)));
            knob.take(began);
            knob.passed(began, at(now + 85));
        }
    }
    auto const pace = knob.learned().pace;
    knob.take(at(now));
    knob.refused(at(now), at(now), {});
    EXPECT_GT(knob.learned().pace, 0.75 * pace) << pace;
}

TEST(RateKnob, KnowsNoLimitBeforeTheFirstRefusal) {
    RateKnob knob;
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_TRUE(knob.ready(start));
        knob.take(start);
    }
    EXPECT_FALSE(knob.known());
}

// Goal: a restart is no reason to send sooner than the pace allows: the receiver has not forgotten.
TEST(RateKnob, ARestartGrantsNoFreshStart) {
    RateKnob::Learned learned;
    learned.pace = 0.02;
    learned.good = 0.02;
    learned.bad = 0.021;
    learned.settled = true;
    RateKnob knob;
    knob.restore(learned, start);
    EXPECT_FALSE(knob.ready(start + 49s));
    EXPECT_TRUE(knob.ready(start + 51s));
}

/// `before` messages pass, then the door is closed until `opens`; the time at which one passes.
Time until_it_opens(RateKnob& knob, unsigned before, Time opens) {
    auto now = start;
    for (unsigned i = 0; i < before; ++i) {
        knob.take(now);
        knob.passed(now, now);
    }
    for (;; now = knob.next(now)) {
        knob.take(now);
        if (now >= opens) break;
        knob.refused(now, now, {});
    }
    knob.passed(now, now);
    return now;
}

// Goal: what a receiver counts with shows when its door opens. Many at once: a window, and what
// went through in the last one is its size. One only: a bucket, and what it had saved up says
// nothing.
TEST(RateKnob, AnOpeningDoorShowsAWindow) {
    RateKnob knob;
    auto now = until_it_opens(knob, 120, start + 60s);
    for (int i = 0; i < 5; ++i) {
        now = knob.next(now);
        knob.take(now);
        knob.passed(now, now);
    }
    EXPECT_NEAR(knob.learned().pace, 0.9 * 120 / 60, 0.1);
}

// Goal: a receiver that names the time opens then. When something else kept us away for longer, that
// is no part of its window.
TEST(RateKnob, ANamedTimeIsWhenItOpens) {
    RateKnob knob;
    for (unsigned i = 0; i < 120; ++i) {
        knob.take(start);
        knob.passed(start, start);
    }
    knob.take(start + 1s);
    knob.refused(start + 1s, start + 1s, 1h);
    knob.kept_away();
    auto now = start + 2h;  // and not when it said
    ASSERT_TRUE(knob.ready(now));
    for (int i = 0; i < 5; ++i) {
        knob.take(now);
        knob.passed(now, now);
        now = knob.next(now);
    }
    EXPECT_NEAR(knob.learned().pace, 0.9 * 120 / 3600, 0.001);
}

TEST(RateKnob, AnOpeningDoorShowsABucket) {
    RateKnob knob;
    auto now = until_it_opens(knob, 120, start + 60s);
    // One more refusal tells that it is not the slow head of a window.
    for (int i = 0; i < 2; ++i) {
        now = knob.next(now);
        knob.take(now);
        knob.refused(now, now, {});
    }
    EXPECT_GT(knob.learned().pace, 0.5 / 60);
    EXPECT_LT(knob.learned().pace, 2.0 / 60);
}

// Goal: a probe that fails costs one refusal; the pace goes back to what it was, and the next probe
// comes later.
TEST(RateKnob, AFailedProbeGoesBackToWhatHeld) {
    RateKnob::Learned learned;
    learned.pace = 1;
    learned.good = 1;
    learned.settled = true;
    RateKnob knob;
    knob.restore(learned, start);
    auto now = start;
    while (knob.learned().pace <= 1) {
        now = knob.next(now);
        knob.take(now);
        knob.passed(now, now);
    }
    EXPECT_GE(now - start, 20min);
    now = knob.next(now);
    knob.take(now);
    knob.refused(now, now, {});
    EXPECT_EQ(knob.learned().pace, 1);
    auto const failed = now;
    while (knob.learned().pace <= 1) {
        now = knob.next(now);
        knob.take(now);
        knob.passed(now, now);
    }
    EXPECT_GE(now - failed, 40min);
}

TEST(RateKnob, NothingStartsBeforeTheRestThatWasAskedForIsOver) {
    RateKnob knob;
    knob.take(start);
    knob.refused(start, start, 10min);
    EXPECT_FALSE(knob.ready(start + 10min - 1s));
    EXPECT_TRUE(knob.ready(start + 10min));
}

// Goal: what was on its way when the refusal came is part of it: twenty refusals of twenty
// connections teach as much as one.
TEST(RateKnob, RefusalsOfTheSameMomentCountOnce) {
    RateKnob one, many;
    for (auto* knob : {&one, &many}) {
        knob->take(start);
        knob->refused(start, start + 20ms, {});
    }
    for (int i = 0; i < 20; ++i)
        many.refused(start + 10ms, start + 30ms, {});
    EXPECT_EQ(one.learned().rest_until, many.learned().rest_until);
    EXPECT_EQ(one.learned().rest, many.learned().rest);
}

TEST(RateKnob, ARestThatWasTooShortIsDoubled) {
    RateKnob knob;
    auto now = start;
    knob.take(now);
    knob.refused(now, now, {});
    auto last = knob.learned().rest;
    for (int i = 0; i < 4; ++i) {
        now = knob.next(now);
        knob.take(now);
        knob.refused(now, now, {});
        EXPECT_EQ(knob.learned().rest, 2 * last);
        last = knob.learned().rest;
    }
}

/// At a pace that is known, for `time`, all taken: how many.
int eager(RateKnob& knob, Time& now, Duration time) {
    auto const end = now + time;
    int n = 0;
    for (; now < end; now = knob.next(now)) {
        knob.take(now);
        knob.passed(now, now);
        ++n;
    }
    return n;
}

// Goal: what is known is raised in small steps only: a fifth an hour at most, and not at all while
// there is trouble.
TEST(RateKnob, IsRaisedAFifthAnHourAtMostAndNotInTrouble) {
    RateKnob::Learned learned;
    learned.pace = 10;
    learned.good = 10;
    learned.bad = 10.5;
    learned.settled = true;
    learned.since = start;
    RateKnob knob;
    knob.restore(learned, start);
    auto now = start;
    auto last = 10.0;
    for (int hour = 0; hour < 5; ++hour) {
        eager(knob, now, 1h);
        EXPECT_LE(knob.learned().pace, last * 1.21);
        last = knob.learned().pace;
    }
    EXPECT_GT(last, 10.5);
    knob.calm(false);
    eager(knob, now, 5h);
    EXPECT_EQ(knob.learned().pace, last);
}

// Goal: a restart keeps the pace, grants no burst, and probes no earlier.
TEST(RateKnob, ARestartKeepsThePace) {
    RateKnob::Learned learned;
    learned.pace = 5;
    learned.good = 5;
    learned.bad = 5.3;
    learned.settled = true;
    RateKnob knob;
    knob.restore(learned, start);
    EXPECT_EQ(knob.learned(), learned);
    auto now = start;
    auto const n = eager(knob, now, 10s);
    EXPECT_LE(n, 52);
    EXPECT_GE(n, 48);
}

}  // namespace
}  // namespace millrace::relay
