#include "relay/schedule/token_bucket.hpp"

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
    EXPECT_TRUE(bucket.ready(start + 500ms));
}

// Goal: in every span of t seconds at most burst + rate * t takes, whatever the pattern of asking,
// and across restarts. Method: random asking, random restarts, all spans checked.
TEST(TokenBucket, NoSpanExceedsItsBound) {
    SeededRandom random(7);
    for (double const rate : {0.2, 1.0, 3.0, 17.5}) {
        auto now = start;
        TokenBucket bucket(rate, now);
        std::vector<Time> takes;
        for (int i = 0; i < 3000; ++i) {
            now += std::chrono::milliseconds(random.below(400));
            if (random.below(200) == 0) {
                bucket = TokenBucket(rate, now);
            }
            if (bucket.ready(now)) {
                bucket.take(now);
                takes.push_back(now);
            }
        }
        auto const burst = std::max(1.0, rate);
        ASSERT_GT(takes.size(), 50U);
        for (std::size_t from = 0; from < takes.size(); ++from) {
            for (std::size_t to = from; to < std::min(takes.size(), from + 60); ++to) {
                auto const span = std::chrono::duration<double>(takes[to] - takes[from]).count();
                ASSERT_LE(static_cast<double>(to - from + 1), burst + rate * span + 1e-6);
            }
        }
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
    EXPECT_TRUE(bucket.ready(later + 1001ms));
}

}  // namespace
}  // namespace millrace::relay
