#include "relay/schedule/greylist.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

TEST(Greylist, NoneIsSentAheadBeforeTheTimeThatWasAskedFor) {
    Greylist list;
    EXPECT_EQ(list.again("mx", start, start, start + 30s, start + 5min), start + 5min);
    EXPECT_EQ(list.again("mx", start, start + 1s, start + 30s, start + 301s), start + 301s);
}

TEST(Greylist, OneIsSentAheadAndTheOthersWaitForWhatItLearns) {
    Greylist list;
    auto const regular = start + 1h;
    auto const scout = list.again("mx", start, start, regular);
    EXPECT_EQ(scout, start + 10s);
    EXPECT_EQ(list.again("mx", start, start + 1s, regular), regular);
    EXPECT_EQ(list.again("mx", start, start + 3min, regular), start + 4min + 30s);
    EXPECT_FALSE(list.wait("mx"));
    EXPECT_EQ(list.passed("mx", start, start + 5min), Duration(5min));
    EXPECT_EQ(list.wait("mx"), Duration(5min));
    auto const next = start + 2h;
    EXPECT_EQ(list.again("mx", next, next, next + 1h), next + 5min + 1s);
}

TEST(Greylist, AWaitOutlivesARestart) {
    Greylist list;
    list.restore("mx", 5min, start);
    list.restore("none", 0s, start);
    EXPECT_EQ(list.wait("mx"), Duration(5min));
    EXPECT_EQ(list.size(), 1U);
    EXPECT_EQ(list.again("mx", start, start, start + 1h), start + 5min + 1s);
}

TEST(Greylist, RemembersThoseThatItMetLast) {
    Greylist list;
    auto now = start;
    list.restore("kept", 7min, now);
    for (int i = 0; i < 25'000; ++i) {
        now += 1s;
        list.restore("mx" + std::to_string(i), 1min, now);
        if (i % 500 == 0) list.again("kept", now, now, now + 1h);
    }
    EXPECT_LE(list.size(), 10'000U);
    EXPECT_EQ(list.wait("kept"), Duration(7min)) << "it was met again and again";
    EXPECT_TRUE(list.wait("mx24999"));
    EXPECT_FALSE(list.wait("mx0"));
}

// Goal: one message that is refused at an age at which others are taken (the receiver forgot it, or had a second one for
// the same recipient) changes nothing for the others; several in a row do.
TEST(Greylist, OneContradictionIsNoNews) {
    Greylist greylist;
    greylist.restore("mx", 1min, start);
    EXPECT_EQ(greylist.again("mx", start - 30min, start, start + 2h), start + 1min + 1s);
    for (int recipient = 2; recipient <= 5; ++recipient)
        greylist.again("mx", start - 30min, start, start + 2h);
    EXPECT_EQ(greylist.wait("mx"), Duration(1min));
    EXPECT_FALSE(greylist.passed("mx", start, start + 61s));
    EXPECT_EQ(greylist.again("mx", start - 30min, start + 2min, start + 2h), start + 3min + 1s);
    EXPECT_EQ(greylist.wait("mx"), Duration(1min)) << "one passed in between";
    greylist.again("mx", start - 30min, start + 3min, start + 2h);
    greylist.again("mx", start - 30min, start + 4min, start + 2h);
    EXPECT_FALSE(greylist.wait("mx")) << "three in a row: it has changed";
}

// Goal: with a long queue the second attempt comes hours after the first. That it is taken then
// does not mean that others have to wait for hours.
TEST(Greylist, ALateAttemptDoesNotMakeOthersWaitForHours) {
    Greylist greylist;
    greylist.again("mx", start, start, start + 30s);
    EXPECT_TRUE(greylist.passed("mx", start, start + 10h));
    EXPECT_FALSE(greylist.wait("mx")) << "nothing worth keeping";
    auto const now = start + 11h;
    EXPECT_EQ(greylist.again("mx", now, now, now + 30s), now + 30s);
}

// Goal: what was delivered just before a crash is sent again, to a receiver that has forgotten it;
// its first attempt, hours ago, says nothing of how long strangers wait there.
TEST(Greylist, WhatIsSentAgainAfterACrashTeachesNothing) {
    Greylist greylist;
    greylist.again("mx", start, start, start + 30s);
    EXPECT_EQ(greylist.passed("mx", start, start + 2min), 2min);
    auto const now = start + 10h;
    EXPECT_EQ(greylist.again("mx", start, now, now + 1h), now + 2min + 1s);
    greylist.passed("mx", now, now + 70s);
    EXPECT_EQ(greylist.again("mx", now, now + 1s, now + 30min), now + 71s);
}

}  // namespace
}  // namespace millrace::relay
