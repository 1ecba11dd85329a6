#include "relay/settlement.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time now{std::chrono::hours(24 * 365)};

/// What becomes of one recipient whose message was put off in this way.
Settlement after(const Typed& typed, Duration age = 0s) {
    Envelope envelope;
    envelope.recipients.resize(1);
    envelope.born = now - age;
    Work work;
    work.born = envelope.born;
    RecipientOutcome outcome;
    outcome.kind = OutcomeKind::deferred;
    outcome.code = 450;
    outcome.typed = typed;
    SeededRandom random(1);
    SettlementRules const rules{{{30s, 2min}, 120h}, 4h};
    return settle(envelope, "mx.example", {&work, 1}, {&outcome, 1}, rules, now, random);
}

TEST(Settlement, WhatSpeaksOfUsSpendsNoAttempt) {
    auto const settled = after(Typed::of(Blame::rate));
    EXPECT_EQ(settled.untouched.size(), 1U);
    EXPECT_TRUE(settled.batch.change.empty());
}

// Goal: what speaks of the message alone waits by itself; it would be tried again at once for ever
// if it kept its place.
TEST(Settlement, ALimitOnTheMessageAloneIsAnAttempt) {
    auto typed = Typed::of(Blame::rate);
    typed.axis = Axis::message;
    auto const settled = after(typed);
    EXPECT_TRUE(settled.untouched.empty());
    ASSERT_EQ(settled.batch.change.size(), 1U);
    EXPECT_EQ(settled.batch.change[0].work.attempts, 1U);
    EXPECT_GE(settled.batch.change[0].work.due, now + 30s);
}

// Goal: a mailbox that asks for half an hour gets it, though the schedule would come back in half a
// minute.
TEST(Settlement, ThePauseThatIsAskedForIsKept) {
    auto typed = Typed::of(Blame::recipient);
    typed.pause = 30min;
    auto const settled = after(typed);
    ASSERT_EQ(settled.batch.change.size(), 1U);
    EXPECT_GE(settled.batch.change[0].work.due, now + 30min);
    // But nothing is given up for it without a last try.
    auto const late = after(typed, 120h - 10min);
    ASSERT_EQ(late.batch.change.size(), 1U);
    EXPECT_LT(late.batch.change[0].work.due, now + 10min);
}

}  // namespace
}  // namespace millrace::relay
