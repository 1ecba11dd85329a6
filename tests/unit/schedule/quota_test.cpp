// Goal: never more than the ceiling in any span of an hour or a day, whatever is restarted, and
// hardly less.
#include "relay/schedule/quota.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

struct Rig {
    Rig(unsigned hour, unsigned day) : per_hour(hour), per_day(day) { boot(); }
    unsigned per_hour, per_day;
    Quota quota;
    std::string durable;
    Time now = start;
    std::vector<Time> sent;
    unsigned writes = 0;

    void boot() {
        quota = {};
        quota.set_limits(per_hour, per_day);
        if (!durable.empty()) quota.restore(durable, now);
    }
    bool send() {
        if (auto note = quota.promise(now)) {
            durable = *note;
            ++writes;
            quota.kept();
        }
        if (!quota.covered(now)) return false;
        quota.take(now);
        sent.push_back(now);
        return true;
    }
    std::size_t most_within(Duration span) const {
        std::size_t most = 0, first = 0;
        for (std::size_t last = 0; last < sent.size(); ++last) {
            while (sent[last] - sent[first] >= span)
                ++first;
            most = std::max(most, last - first + 1);
        }
        return most;
    }
};

TEST(Quota, NeverMoreInAnySpanThroughCrashesAndRestarts) {
    struct {
        unsigned hour, day;
    } const limits[] = {{1, 0}, {7, 0}, {0, 10}, {100, 500}, {1'000, 5'000}, {300, 100}};
    for (auto const& l : limits) {
        for (std::uint64_t seed = 1; seed <= 10; ++seed) {
            SeededRandom random(seed);
            Rig rig(l.hour, l.day);
            for (int step = 0; step < 3'000; ++step) {
                rig.now += std::chrono::seconds(random.below(120));
                for (auto n = random.below(200); n > 0 && rig.send(); --n) {
                }
                auto const what = random.below(200);
                if (what == 0) rig.boot();
                if (what == 1) {
                    rig.quota.settle();
                    rig.durable = rig.quota.note();
                    rig.boot();
                }
            }
            if (l.hour > 0) EXPECT_LE(rig.most_within(1h), l.hour) << seed;
            if (l.day > 0) EXPECT_LE(rig.most_within(24h), l.day) << seed;
        }
    }
}

TEST(Quota, WithoutRestartsNearlyAllOfItCanBeUsed) {
    Rig rig(600, 0);
    for (; rig.now < start + 10h; rig.now += 1s)
        rig.send();
    EXPECT_GT(rig.sent.size(), 5'800U);
    EXPECT_LE(rig.sent.size(), 6'000U);
    EXPECT_LT(rig.writes, 700U) << "a note for a dozen messages";
}

TEST(Quota, TellsWhenTheNextMayGo) {
    Rig rig(2, 3);
    EXPECT_TRUE(rig.send());
    rig.now += 10min;
    EXPECT_TRUE(rig.send());
    EXPECT_EQ(rig.quota.next(rig.now), start + 61min);
    EXPECT_EQ(rig.quota.text_of_limit(rig.now), "2 messages in an hour");
    rig.now = start + 61min;
    EXPECT_TRUE(rig.send());
    EXPECT_EQ(rig.quota.next(rig.now), start + 24h + 15min);
    EXPECT_EQ(rig.quota.text_of_limit(rig.now), "3 messages in a day");
}

TEST(Quota, ALowerLimitCountsAtOnceAndNoneLetsEverythingGo) {
    Rig rig(100, 0);
    for (int i = 0; i < 50; ++i)
        ASSERT_TRUE(rig.send());
    rig.quota.set_limits(20, 0);
    EXPECT_FALSE(rig.send());
    EXPECT_EQ(rig.quota.next(rig.now), start + 61min);
    rig.quota.set_limits(0, 0);
    for (int i = 0; i < 500; ++i)
        ASSERT_TRUE(rig.send());
}

}  // namespace
}  // namespace millrace::relay
