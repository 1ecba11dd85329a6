#include "relay/schedule/connection_knob.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

/// A receiver that takes so many connections, and a sender with more work than all of them carry.
struct Receiver {
    ConnectionKnob knob{20};
    unsigned takes = 5, standing = 0, refused = 0;
    Time now = start;
    Time last_refused{};

    /// Opens what may be opened, and sends a message on each connection.
    void round(Duration time = 1s) {
        while (knob.more(standing, 0, now) > 0) {
            if (standing < takes) {
                knob.greeted(++standing, now);
            } else {
                knob.refused(standing, now, "421 too many", {});
                ++refused;
                last_refused = now;
            }
        }
        for (unsigned i = 0; i < standing; ++i)
            knob.passed(standing, now);
        now += time;
    }
    void rounds(Duration time, Duration each = 1s) {
        for (auto const end = now + time; now < end;)
            round(each);
    }
};

TEST(ConnectionKnob, FindsTheLimitFromBelowWithOneRefusalAndKeepsIt) {
    Receiver receiver;
    receiver.rounds(1min);
    EXPECT_EQ(receiver.standing, 5U);
    EXPECT_EQ(receiver.refused, 1U);
    EXPECT_EQ(receiver.knob.learned().good, 5U);
    EXPECT_EQ(receiver.knob.learned().bad, 6U);
    receiver.rounds(50min);
    EXPECT_EQ(receiver.refused, 1U);
}

// Goal: what is known is tried again after an hour, then later and later: over a week few refusals.
TEST(ConnectionKnob, ProbesLaterAndLater) {
    Receiver receiver;
    receiver.rounds(59min);
    EXPECT_EQ(receiver.refused, 1U);
    receiver.rounds(7 * 24h, 10s);
    EXPECT_GE(receiver.refused, 3U);
    EXPECT_LE(receiver.refused, 1U + 5U + 7U);
    EXPECT_EQ(receiver.knob.learned().good, 5U);
}

TEST(ConnectionKnob, DoesNotProbeInTrouble) {
    Receiver receiver;
    receiver.rounds(1min);
    receiver.knob.calm(false);
    receiver.rounds(48h, 10s);
    EXPECT_EQ(receiver.refused, 1U);
}

TEST(ConnectionKnob, NeverBeyondTheCeiling) {
    Receiver receiver;
    receiver.takes = 100;
    receiver.rounds(10min);
    EXPECT_EQ(receiver.standing, 20U);
    EXPECT_EQ(receiver.refused, 0U);
    receiver.knob.set_ceiling(7);
    EXPECT_EQ(receiver.knob.more(7, 0, receiver.now), 0U);
    EXPECT_EQ(receiver.knob.more(6, 0, receiver.now), 1U);
}

TEST(ConnectionKnob, BeyondWhatIsKnownOneAtATime) {
    Receiver receiver;
    receiver.takes = 100;
    receiver.rounds(3s);
    ASSERT_LT(receiver.standing, 20U);
    EXPECT_LE(receiver.knob.more(receiver.standing, 0, receiver.now), 1U);
    EXPECT_EQ(receiver.knob.more(receiver.standing, 1, receiver.now), 0U);
}

TEST(ConnectionKnob, FollowsALimitThatRisesAnHourAtATime) {
    Receiver receiver;
    receiver.rounds(1min);
    receiver.takes = 8;
    receiver.rounds(59min);
    EXPECT_EQ(receiver.standing, 5U);
    receiver.rounds(12h, 10s);
    EXPECT_EQ(receiver.standing, 8U);
    // The first, and the ninth after it was tried an hour, two and four hours later.
    EXPECT_LE(receiver.refused, 6U);
}

// Goal: a limit that falls from twelve to three is found again without one refusal for each step.
TEST(ConnectionKnob, FollowsALimitThatFalls) {
    Receiver receiver;
    receiver.takes = 12;
    receiver.rounds(5min);
    ASSERT_EQ(receiver.standing, 12U);
    auto const before = receiver.refused;
    receiver.takes = 3;
    for (int i = 0; i < 600; ++i) {
        // Those that stand end one by one, and are opened again.
        if (receiver.standing > 0) {
            --receiver.standing;
            receiver.knob.closed(receiver.now);
        }
        receiver.now += 2s;
        receiver.round();
    }
    EXPECT_LE(receiver.standing, 3U);
    EXPECT_LE(receiver.refused - before, 6U);
}

TEST(ConnectionKnob, RefusedWithNothingStandingItRestsLongerEachTime) {
    ConnectionKnob knob(20);
    auto now = start;
    Duration last{};
    for (int i = 0; i < 8; ++i) {
        knob.refused(0, now, "421", {});
        EXPECT_EQ(knob.more(0, 0, now), 0U);
        auto const rest = knob.not_before() - now;
        EXPECT_GE(rest, std::max<Duration>(30s, last));
        EXPECT_LE(rest, 15min);
        last = rest;
        now = knob.not_before();
        EXPECT_EQ(knob.more(0, 0, now), 1U);
    }
    EXPECT_EQ(last, 15min);
}

TEST(ConnectionKnob, ARestartKeepsWhatIsKnown) {
    Receiver receiver;
    receiver.rounds(1min);
    Receiver again;
    again.now = receiver.now;
    again.knob.restore(receiver.knob.learned());
    EXPECT_EQ(again.knob.learned(), receiver.knob.learned());
    again.rounds(50min);
    EXPECT_EQ(again.standing, 5U);
    EXPECT_EQ(again.refused, 0U);
}

}  // namespace
}  // namespace millrace::relay
