#include "relay/shaping/typed.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

// Goal: a refusal that speaks of one message holds up no other mail, whatever it is for.
TEST(Typed, WhatFallsOnTheMessageHoldsBackNothingElse) {
    for (auto const blame :
         {Blame::rate, Blame::reputation, Blame::compliance, Blame::connections, Blame::blocklist}) {
        auto typed = Typed::of(blame);
        EXPECT_TRUE(holds_back(typed)) << to_string(blame);
        EXPECT_EQ(spends_nothing(typed), blame != Blame::compliance) << to_string(blame);
        typed.axis = Axis::message;
        EXPECT_FALSE(holds_back(typed)) << to_string(blame);
        EXPECT_FALSE(spends_nothing(typed)) << to_string(blame);
    }
    for (auto const blame : {Blame::none, Blame::recipient, Blame::greylist, Blame::content}) {
        EXPECT_FALSE(holds_back(Typed::of(blame))) << to_string(blame);
    }
}

}  // namespace
}  // namespace millrace::relay
