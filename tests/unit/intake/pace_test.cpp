// Goal: an account that is limited to N an hour gets N an hour, whatever it tries and however the
// limit changes meanwhile; nobody waits longer than that takes.
#include "relay/intake/pace.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

const Time start = from_unix_millis(1'795'507'200'000);

TEST(Pace, NoLimitMakesNobodyWait) {
    Pace pace(start);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(pace.take(start), start);
    }
}

TEST(Pace, AFloodIsSpreadOverTheHours) {
    Pace pace(start);
    pace.limit(100, start);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(pace.take(start), start + i * 36s) << "a restart grants no burst";
    }
}

TEST(Pace, ARestIsSavedUpForATenthOfAnHoursMail) {
    Pace pace(start);
    pace.limit(100, start);
    const Time later = start + 5h;
    int at_once = 0;
    while (pace.take(later) == later)
        ++at_once;
    EXPECT_EQ(at_once, 10);
    pace.limit(1000, later + 10h);
    at_once = 0;
    while (pace.take(later + 10h) == later + 10h)
        ++at_once;
    EXPECT_EQ(at_once, 100);
}

TEST(Pace, ANewLimitCountsForThoseWhoComeBehindTheQueue) {
    Pace pace(start);
    pace.limit(60, start);
    for (int i = 0; i < 60; ++i)
        pace.take(start);  // an hour's queue
    pace.limit(3600, start);
    EXPECT_EQ(pace.take(start), start + 60s) << "sixty before it, one a second";
    pace.limit(60, start);
    EXPECT_EQ(pace.take(start), start + 61min);
    pace.limit(0, start);
    EXPECT_EQ(pace.take(start), start);
    pace.limit(60, start + 1min);
    EXPECT_LE(pace.take(start + 1min), start + 64min);
}

// At most N an hour and the burst, in every span, from any demand; and nobody waits for nothing.
TEST(Pace, NeverMoreThanTheRateAndTheBurstInAnySpan) {
    for (const unsigned per_hour : {1U, 7U, 100U, 3600U, 100'000U}) {
        Pace pace(start);
        pace.limit(per_hour, start);
        std::vector<Time> given;
        Time now = start;
        std::uint32_t state = 12345 + per_hour;
        for (int i = 0; i < 3000; ++i) {
            state = state * 1664525 + 1013904223;
            if (state % 5 == 0) now += std::chrono::milliseconds(state / 7 % 100'000);
            const Time due = pace.take(now);
            EXPECT_GE(due, now);
            given.push_back(due);
        }
        EXPECT_TRUE(std::ranges::is_sorted(given));
        const double burst = std::max(10U, per_hour / 10);
        for (std::size_t i = 0; i < given.size(); i += 13) {
            for (std::size_t j = i; j < given.size(); j += 31) {
                const double hours =
                    std::chrono::duration<double, std::ratio<3600>>(given[j] - given[i]).count();
                ASSERT_LE(static_cast<double>(j - i + 1), burst + hours * per_hour + 1.001);
            }
        }
    }
}

}  // namespace
}  // namespace millrace::relay
