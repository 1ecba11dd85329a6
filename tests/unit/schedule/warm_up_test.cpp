// Goal: a new address is never sent more from than a receiver is used to, however long it lasts and
// however often the relay is restarted; and it gets there.
#include "relay/schedule/warm_up.hpp"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

/// Sends as a scheduler would: asks for promises, keeps them, may be killed at any moment.
struct Rig {
    explicit Rig(WarmUpPlan p = {true, 50, 3'200}) : plan(p), warm_up(p) {}

    WarmUpPlan plan;
    WarmUp warm_up;
    std::string durable;
    Time now = start;
    std::vector<Time> sent;
    double refused = 0;  ///< every so many
    double unknown = 0;

    bool send() {
        if (auto note = warm_up.promise(now)) {
            durable = *note;
            warm_up.kept();
        }
        if (warm_up.next(now) > now || !warm_up.covered(now)) return false;
        warm_up.take(now);
        sent.push_back(now);
        auto const n = static_cast<double>(sent.size());
        bool const no = refused > 0 && std::fmod(n, refused) < 1;
        no ? warm_up.refused(now) : warm_up.passed(now);
        warm_up.recipient(unknown > 0 && std::fmod(n, unknown) < 1, now);
        return true;
    }
    /// All that may be sent until then, a try each minute.
    void press_until(Time end) {
        for (; now < end; now += 1min) {
            while (!warm_up.over() && send()) {
            }
            if (warm_up.changed()) durable = warm_up.note();
        }
    }
    void die() {
        warm_up = WarmUp(plan);
        if (!durable.empty()) warm_up.restore(durable, now);
    }
    void stop_and_start() {
        warm_up.settle();
        durable = warm_up.note();
        die();
    }
    std::size_t between(Time from, Time to) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(sent, [&](Time at) { return at >= from && at < to; }));
    }
};

TEST(WarmUp, DoublesEveryDayThatWentWellAndIsOverAtTheGoal) {
    Rig rig;
    std::size_t before = 0;
    for (int day = 0; day < 7; ++day) {
        EXPECT_EQ(rig.warm_up.allowance(rig.now), 50U << day);
        rig.press_until(start + (day + 1) * 24h);
        auto const volume = rig.between(start + day * 24h, start + (day + 1) * 24h);
        EXPECT_EQ(volume, 50U << day) << day;
        EXPECT_TRUE(day == 0 || volume <= 2 * before);
        before = volume;
    }
    rig.press_until(rig.now + 1min);  // the next day begins
    EXPECT_TRUE(rig.warm_up.over());
    EXPECT_EQ(rig.warm_up.next(rig.now), rig.now);
    for (int i = 0; i < 10'000; ++i)
        ASSERT_TRUE(rig.send());
}

TEST(WarmUp, NoHourHasMoreThanAnEighthOfItsDay) {
    Rig rig;
    rig.press_until(start + 24h * 5);
    for (int day = 0; day < 5; ++day) {
        auto const allowed = 50U << day;
        for (int hour = 0; hour < 24; ++hour) {
            auto const from = start + day * 24h + hour * 1h;
            EXPECT_LE(rig.between(from, from + 1h), (allowed + 7) / 8) << day << " " << hour;
        }
    }
}

TEST(WarmUp, ADayWhoseVolumeWasNotReachedDoesNotCount) {
    Rig rig;
    for (int day = 0; day < 5; ++day) {
        for (int i = 0; i < 39; ++i) {  // of 50: less than four of five
            ASSERT_TRUE(rig.send() || rig.warm_up.next(rig.now) > rig.now);
            rig.now += 30min;
        }
        rig.now = start + (day + 1) * 24h;
    }
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 50U);
    rig.now = rig.now + 1h;
    rig.press_until(rig.now + 25h);
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 100U);
}

TEST(WarmUp, ADayWithRefusalsHalvesIt) {
    Rig rig;
    rig.press_until(start + 24h * 3);
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 400U);
    rig.refused = 10;
    rig.press_until(start + 24h * 4);
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 200U);
    rig.refused = 30;  // that much is nothing
    rig.press_until(start + 24h * 5);
    EXPECT_GT(rig.warm_up.allowance(rig.now), 380U);
    EXPECT_LE(rig.warm_up.allowance(rig.now), 400U);
}

TEST(WarmUp, ADayWithUnknownUsersHalvesIt) {
    Rig rig;
    rig.press_until(start + 24h * 3);
    rig.unknown = 20;
    rig.press_until(start + 24h * 4);
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 200U);
}

TEST(WarmUp, AMonthOfSilenceBeginsAnew) {
    Rig rig;
    rig.press_until(start + 24h * 8);
    ASSERT_TRUE(rig.warm_up.over());
    ASSERT_TRUE(rig.send());
    rig.now += 24h * 29;
    EXPECT_TRUE(rig.send()) << "29 days: it is known yet";
    rig.durable = rig.warm_up.note();
    rig.now += 24h * 30;
    rig.die();
    EXPECT_FALSE(rig.warm_up.covered(rig.now));
    EXPECT_EQ(rig.warm_up.allowance(rig.now), 50U);
    auto const from = rig.now;
    EXPECT_TRUE(rig.send());
    rig.press_until(rig.now + 24h);
    EXPECT_EQ(rig.between(from, rig.now), 50U);
}

TEST(WarmUp, AnOrderlyRestartChangesNothing) {
    Rig rig, steady;
    for (int i = 0; i < 6 * 48; ++i) {
        rig.press_until(rig.now + 30min);
        rig.stop_and_start();
    }
    steady.press_until(rig.now);
    EXPECT_EQ(rig.sent, steady.sent);
    EXPECT_EQ(rig.warm_up.allowance(rig.now), steady.warm_up.allowance(rig.now));
}

TEST(WarmUp, ACrashLosesSomeAllowanceAndNeverGrantsAny) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        SeededRandom random(seed);
        Rig rig;
        for (int step = 0; step < 24 * 6; ++step) {
            rig.now += std::chrono::minutes(random.below(20));
            for (auto n = random.below(30); n > 0; --n)
                rig.send();
            if (random.below(3) == 0 && rig.warm_up.changed()) rig.durable = rig.warm_up.note();
            if (random.below(4) == 0) rig.die();
        }
        // Whichever way days are laid, they have no more than the schedule of the fastest one.
        for (std::size_t i = 0; i < rig.sent.size(); ++i) {
            auto const day = (rig.sent[i] - start) / 24h;
            auto const most = (50U << static_cast<unsigned>(day)) * 3 / 2 + 50;
            EXPECT_LE(rig.between(rig.sent[i] - 24h, rig.sent[i]), most) << "seed " << seed;
        }
        EXPECT_LE(rig.between(start, start + 24h), 50U) << "seed " << seed;
    }
}

TEST(WarmUp, WhatWasPromisedCountsAsSentAfterACrash) {
    Rig rig({true, 800, 10'000});
    ASSERT_TRUE(rig.send());  // of a promise for 25
    for (int i = 0; i < 400; ++i)
        rig.die();
    EXPECT_GE(rig.warm_up.begun(rig.now), 25U);
    EXPECT_LE(rig.warm_up.begun(rig.now), 50U)
        << "dying again and again without sending costs nothing";
}

TEST(WarmUp, TellsWhenItEnds) {
    Rig rig;
    EXPECT_EQ(rig.warm_up.ends(rig.now), never);
    rig.press_until(start + 1h);
    // 50, 100, 200, 400, 800, 1600, 3200: the seventh day reaches the goal.
    EXPECT_EQ(rig.warm_up.ends(rig.now), start + 7 * 24h);
    rig.press_until(start + 24h * 4);
    EXPECT_EQ(rig.warm_up.ends(rig.now), start + 7 * 24h);
    auto const text = warm_up_text("out1", "google", rig.warm_up, rig.now);
    EXPECT_NE(text.find("out1 is new to google"), std::string::npos) << text;
    EXPECT_NE(text.find("in 3 days if every day goes well"), std::string::npos) << text;
}

TEST(WarmUp, AHistoryEndsIt) {
    Rig rig;
    rig.warm_up.mark_warm(rig.now);
    EXPECT_TRUE(rig.warm_up.over());
    rig.durable = rig.warm_up.note();
    rig.die();
    for (int i = 0; i < 10'000; ++i)
        ASSERT_TRUE(rig.send());
}

TEST(WarmUp, ANoteThatCannotBeReadIsNone) {
    for (const char* note : {"", "{", "[]", "{\"version\":2}", "{\"version\":1,\"begun\":\"x\"}"}) {
        WarmUp one({true, 50, 3'200});
        one.restore(note, start);
        EXPECT_EQ(one.allowance(start), 50U) << note;
        EXPECT_FALSE(one.covered(start)) << note;
    }
}

}  // namespace
}  // namespace millrace::relay
