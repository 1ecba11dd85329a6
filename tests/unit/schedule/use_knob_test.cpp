#include "relay/schedule/use_knob.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

TEST(UseKnob, IsTheSettingUntilSomethingIsLearned) {
    UseKnob knob;
    EXPECT_EQ(knob.most(100), 100U);
    EXPECT_EQ(knob.most(0), 1U);
    EXPECT_FALSE(knob.greeted(start + 48h));
    knob.refused(21, start, "421 enough");
    EXPECT_EQ(knob.most(100), 20U);
    EXPECT_EQ(knob.most(5), 5U);
}

// Goal: one odd hang-up does not mean one message a connection for good; and who means it is asked
// once a day.
TEST(UseKnob, IsAskedForTwiceAsManyOnceADayInPeace) {
    UseKnob knob;
    knob.refused(2, start, "(it hung up without a word)");
    EXPECT_EQ(knob.most(100), 1U);
    EXPECT_FALSE(knob.greeted(start + 23h));
    knob.calm(false);
    EXPECT_FALSE(knob.greeted(start + 25h));
    knob.calm(true);
    EXPECT_TRUE(knob.greeted(start + 25h));
    EXPECT_FALSE(knob.greeted(start + 26h));
    EXPECT_EQ(knob.most(100), 2U);
    EXPECT_EQ(knob.learned().said, "");
    knob.refused(2, start + 27h, "421 enough");
    EXPECT_EQ(knob.most(100), 1U);
    EXPECT_FALSE(knob.greeted(start + 50h));
    auto now = start + 51h;
    for (int day = 0; day < 8; ++day, now += 24h)
        EXPECT_TRUE(knob.greeted(now)) << day;
    EXPECT_EQ(knob.most(100), 100U);
}

}  // namespace
}  // namespace millrace::relay
