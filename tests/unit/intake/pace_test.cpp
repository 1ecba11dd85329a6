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
    Pace pace;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(pace.take(start), start);
    }
}

TEST(Pace, AFloodIsSpreadOverTheHours) {
    Pace pace;
    pace.limit(100, start);
    for (int i = 0; i < 1000; ++i) {
        EXPECT_EQ(pace.take(start), start + std::max(0, i - 24) * 36s);
    }
}

int at_once(Pace& pace, Time now) {
    int count = 0;
    while (pace.take(now) == now)
        ++count;
    return count;
}

TEST(Pace, ARestIsSavedUpForAQuarterOfAnHoursMail) {
    Pace pace;
    pace.limit(100, start);
    EXPECT_EQ(at_once(pace, start), 25);
    EXPECT_EQ(at_once(pace, start + 5h), 25);
    pace.limit(1000, start + 10h);
    EXPECT_EQ(at_once(pace, start + 20h), 250);
    pace.limit(3, start + 20h);
    EXPECT_EQ(at_once(pace, start + 40h), 1);
}

TEST(Pace, ANewLimitCountsForThoseWhoComeBehindTheQueue) {
    Pace pace;
    pace.limit(60, start);
    for (int i = 0; i < 14 + 60; ++i)
        pace.take(start);  // an hour's queue behind the burst
    pace.limit(3600, start);
    EXPECT_EQ(pace.take(start), start + 60s) << "sixty before it, one a second";
    pace.limit(60, start);
    EXPECT_EQ(pace.take(start), start + 61min);
    pace.limit(0, start);
    EXPECT_EQ(pace.take(start), start);
    pace.limit(60, start + 1min);
    EXPECT_EQ(at_once(pace, start + 1min), 15) << "a limit that is new begins rested";
}

// At most N an hour and the burst, in every span, from any demand; and nobody waits for nothing.
TEST(Pace, NeverMoreThanTheRateAndTheBurstInAnySpan) {
    for (const unsigned per_hour : {1U, 7U, 100U, 3600U, 100'000U}) {
        Pace pace;
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
        const double burst = std::max(1U, per_hour / 4);
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
