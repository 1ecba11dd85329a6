#include "relay/schedule/token_bucket.hpp"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(1)};

TEST(TokenBucket, NoRateIsNoLimit) {
    TokenBucket bucket(0, start);
    EXPECT_FALSE(bucket.limited());
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(bucket.ready(start));
        bucket.take(start);
    }
}

TEST(TokenBucket, StartsEmptySoThatARestartGrantsNoBurst) {
    TokenBucket bucket(2, start);
    EXPECT_FALSE(bucket.ready(start));
    EXPECT_FALSE(bucket.ready(start + 500ms));
    EXPECT_TRUE(bucket.ready(start + 510ms));
}

// Goal: never one unit over a configured rate: in any half-open second at most `rate`, in any
// longer span at most rate * t rounded up, whatever the pattern of asking, and across restarts.
// Method: random asking, greedy phases after long rests, random restarts; all spans checked.
TEST(TokenBucket, NoSecondExceedsTheRate) {
    SeededRandom random(7);
    for (double const rate : {0.2, 1.0, 1.5, 3.0, 17.0, 100.0, 1'000.0}) {
        auto now = start;
        TokenBucket bucket(rate, now);
        std::vector<Time> takes;
        bool greedy = false;
        for (int i = 0; i < 20'000; ++i) {
            if (random.below(500) == 0) greedy = !greedy;
            if (random.below(1'000) == 0) now += std::chrono::seconds(random.below(30));
            if (greedy) {
                now = bucket.next(now);
            } else {
                now +=
                    std::chrono::microseconds(random.below(static_cast<std::uint64_t>(4e6 / rate)));
            }
            if (random.below(700) == 0) {
                bucket = TokenBucket(rate, now);
            }
            if (bucket.ready(now)) {
                bucket.take(now);
                takes.push_back(now);
            }
        }
        ASSERT_GT(takes.size(), 500U);
        for (auto const span : {1s, 2s, 10s, 60s}) {
            auto const most = std::ceil(rate * static_cast<double>(span.count()) - 1e-9);
            std::size_t from = 0;
            for (std::size_t to = 0; to < takes.size(); ++to) {
                while (takes[to] - takes[from] >= span)
                    ++from;
                ASSERT_LE(static_cast<double>(to - from + 1), most)
                    << rate << "/s over " << span.count() << " s";
            }
        }
    }
}

// Goal: the limit costs little: an eager sender whose timers are up to 5 ms late still gets 0.98 of
// the rate.
TEST(TokenBucket, AnEagerSenderGetsNearlyAll) {
    SeededRandom random(5);
    for (double const rate : {1.0, 10.0, 100.0}) {
        TokenBucket bucket(rate, start);
        auto now = start;
        int takes = 0;
        while (now < start + 600s) {
            now = bucket.next(now) + std::chrono::microseconds(random.below(5'000));
            while (bucket.ready(now)) {
                bucket.take(now);
                ++takes;
            }
        }
        EXPECT_GE(takes, 0.98 * rate * 600) << rate;
    }
}

TEST(TokenBucket, TheNextTokenIsThereWhenPromised) {
    SeededRandom random(3);
    TokenBucket bucket(3.7, start);
    auto now = start;
    for (int i = 0; i < 1000; ++i) {
        auto const promised = bucket.next(now);
        ASSERT_TRUE(bucket.ready(promised));
        now = promised;
        bucket.take(now);
    }
}

TEST(TokenBucket, ASmallerRateTakesEffectAtOnce) {
    TokenBucket bucket(100, start);
    auto const later = start + 10s;
    bucket.set_rate(1, later);
    bucket.take(later);
    EXPECT_FALSE(bucket.ready(later));
    EXPECT_FALSE(bucket.ready(later + 900ms));
    EXPECT_TRUE(bucket.ready(later + 1011ms));
}

}  // namespace
}  // namespace millrace::relay
