#include "relay/schedule/unknown_users.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

/// How many were counted until the list was held; 0: it was not.
int held_after(int one_in, int most, Duration apart) {
    UnknownUsers lists;
    for (int i = 1; i <= most; ++i) {
        if (lists.count("shop", i % one_in == 0, "550 no such user", start + apart * i)) return i;
    }
    return 0;
}

TEST(UnknownUsers, AListIsHeldFromATenthOn) {
    EXPECT_GE(held_after(9, 1'000, 1s), 100);
    EXPECT_LE(held_after(9, 1'000, 1s), 110);
    EXPECT_EQ(held_after(11, 10'000, 10ms), 0);
}

TEST(UnknownUsers, FewRecipientsSayNothing) {
    EXPECT_EQ(held_after(2, 99, 1s), 0);
    // A hundred, but over days: an hour ago counts a third.
    EXPECT_EQ(held_after(2, 200, 1h), 0);
}

TEST(UnknownUsers, EachPartyForItself) {
    UnknownUsers lists;
    for (int i = 0; i < 300; ++i) {
        lists.count("bad", i % 5 == 0, "550 who?", start + 1s * i);
        lists.count("good", false, "", start + 1s * i);
    }
    ASSERT_NE(lists.held("bad"), nullptr);
    EXPECT_EQ(lists.held("bad")->said, "550 who?");
    EXPECT_NEAR(lists.held("bad")->share, 0.2, 0.02);
    EXPECT_EQ(lists.held("good"), nullptr);
    EXPECT_TRUE(lists.release("bad"));
    EXPECT_FALSE(lists.release("bad"));
    EXPECT_FALSE(lists.count("bad", true, "550 who?", start + 1h)) << "it is counted anew";
}

TEST(UnknownUsers, OfManyPartiesTheLatestAreKept) {
    UnknownUsers lists;
    for (int i = 0; i < 5'000; ++i) {
        lists.count("p" + std::to_string(i), true, "550 no", start + 1ms * i);
        lists.count("bad", i % 2 == 0, "550 no", start + 1ms * i);
    }
    EXPECT_NE(lists.held("bad"), nullptr);
}

}  // namespace
}  // namespace millrace::relay
