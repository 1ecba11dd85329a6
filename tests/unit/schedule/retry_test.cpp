#include "relay/schedule/retry.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

RetrySchedule schedule() {
    return {{30s, 2min, 5min, 15min, 30min, 1h, 2h, 4h}, 120h};
}

constexpr Time born{std::chrono::hours(1000)};

TEST(Retry, IsNeverEarlyAndAtMostATenthLate) {
    SeededRandom random(1);
    auto const s = schedule();
    for (unsigned attempts = 1; attempts < 20; ++attempts) {
        auto const step = s.steps[std::min<std::size_t>(attempts - 1, s.steps.size() - 1)];
        for (int i = 0; i < 200; ++i) {
            auto const next = s.next(attempts, born + 1h, born, random);
            ASSERT_TRUE(next);
            ASSERT_GE(*next, born + 1h + step);
            ASSERT_LE(*next, born + 1h + step + step / 10);
        }
    }
}

TEST(Retry, IsNotBeforeTheTimeThatWasAskedForButForTheLastTry) {
    SeededRandom random(1);
    auto const s = schedule();
    EXPECT_GE(s.next(1, born, born, random, 30min), born + 30min);
    EXPECT_LE(s.next(1, born, born, random, 30min), born + 33min);
    EXPECT_GE(s.next(8, born, born, random, 30min), born + 4h);
    EXPECT_LT(s.next(1, born + 119h, born, random, 24h), born + 120h);
}

// Goal: nothing expires without a try in its last minute. Method: walk whole lives with random
// delays between due time and attempt.
TEST(Retry, TheLastTryLiesInTheLastMinute) {
    SeededRandom random(2);
    auto const s = schedule();
    for (int life = 0; life < 500; ++life) {
        auto now = born;
        unsigned attempts = 0;
        while (true) {
            ++attempts;
            auto const next = s.next(attempts, now, born, random);
            if (!next) {
                break;
            }
            ASSERT_GT(*next, now);
            ASSERT_LT(*next, s.expiry(born));
            now = *next;
        }
        EXPECT_GE(now, s.expiry(born) - 1min);
        EXPECT_LT(now, s.expiry(born));
        EXPECT_GT(attempts, 30U);
    }
}

TEST(Retry, AnOldMessageIsGivenUpAfterItsAttempt) {
    SeededRandom random(2);
    EXPECT_FALSE(schedule().next(1, born + 121h, born, random));
    EXPECT_TRUE(schedule().expired(born + 120h, born));
    EXPECT_FALSE(schedule().expired(born + 120h - 1s, born));
}

}  // namespace
}  // namespace millrace::relay
