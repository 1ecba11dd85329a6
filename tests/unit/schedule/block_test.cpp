#include "relay/schedule/block.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

void refuse(Block& block, Blame cause, Time now, Duration least = {}) {
    auto typed = Typed::of(cause);
    typed.pause = least;
    typed.rule = "rule";
    block.refused(typed, now, "554 no");
}

// Goal: a rule that says `escalate = false` is obeyed.
TEST(Block, WaitsAsLongAgainWhereTheRuleSaysSo) {
    Block block;
    auto typed = Typed::of(Blame::reputation);
    typed.escalate = false;
    auto now = start;
    for (int i = 0; i < 4; ++i) {
        block.refused(typed, now, "554 no");
        EXPECT_EQ(block.learned().until - now, 1h) << i;
        now = block.learned().until;
    }
}

TEST(Block, WaitsTwiceAsLongEachTimeUpToADay) {
    Block block;
    auto now = start;
    auto wait = Duration(1h);
    for (int i = 0; i < 8; ++i) {
        refuse(block, Blame::reputation, now);
        EXPECT_EQ(block.learned().until, now + wait) << i;
        EXPECT_TRUE(block.shut(now + wait - 1s));
        now += wait;
        EXPECT_FALSE(block.shut(now));
        EXPECT_TRUE(block.on_trial());
        wait = std::min<Duration>(2 * wait, 24h);
    }
    EXPECT_EQ(block.learned().times, 8U);
    EXPECT_EQ(block.learned().since, start);
}

TEST(Block, WhatWasOnItsWayDoublesNothing) {
    Block block;
    for (int i = 0; i < 20; ++i)
        refuse(block, Blame::reputation, start + i * 1ms);
    EXPECT_EQ(block.learned().until, start + 1h);
    EXPECT_EQ(block.learned().times, 1U);
}

TEST(Block, OpensWhenAMessageHasPassedAndRemembersForADay) {
    Block block;
    refuse(block, Blame::reputation, start);
    block.passed(start + 1h);
    EXPECT_FALSE(block.on_trial());
    refuse(block, Blame::reputation, start + 2h);
    EXPECT_EQ(block.learned().until, start + 4h) << "the same trouble again";
    block.passed(start + 4h);
    refuse(block, Blame::reputation, start + 40h);
    EXPECT_EQ(block.learned().until, start + 41h) << "another one";
}

TEST(Block, TheWaitThatWasAskedForIsKept) {
    Block block;
    refuse(block, Blame::reputation, start, 6h);
    EXPECT_EQ(block.learned().until, start + 6h);
    Block shorter;
    refuse(shorter, Blame::reputation, start, 10s);
    EXPECT_EQ(shorter.learned().until, start + 1h);
}

TEST(Block, AnIllReceiverIsAskedAfterHalfAMinuteAndAQuarterOfAnHourAtMost) {
    Block block;
    auto now = start;
    for (int i = 0; i < 10; ++i) {
        refuse(block, Blame::receiver_ill, now);
        EXPECT_GE(block.learned().until - now, 30s);
        EXPECT_LE(block.learned().until - now, 15min);
        now = block.learned().until;
    }
    block.passed(now);
    refuse(block, Blame::receiver_ill, now + 1min);
    EXPECT_EQ(block.learned().until, now + 1min + 30s) << "over is over";
}

TEST(Block, AnotherCauseNeverShortensTheWait) {
    Block block;
    refuse(block, Blame::blocklist, start);
    auto const until = block.learned().until;
    refuse(block, Blame::receiver_ill, start + 1s);
    EXPECT_GE(block.learned().until, until);
}

TEST(Block, OpensOnTheOperatorsWord) {
    Block block;
    refuse(block, Blame::blocklist, start);
    block.lift();
    EXPECT_FALSE(block.shut(start));
    EXPECT_FALSE(block.on_trial());
}

}  // namespace
}  // namespace millrace::relay
