#include "relay/schedule/scheduler.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "tests/unit/schedule/world.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start = world_start;

Work work(std::uint64_t message,
          std::uint16_t index,
          const std::string& destination,
          Time due,
          Class klass = Class::transactional) {
    return WorkOf{
        .message = message, .index = index, .destination = destination, .due = due, .klass = klass}
        .make();
}

ScheduleLimits limits() {
    ScheduleLimits l;
    l.per_site.connections = 4;
    return l;
}

Answer answer(Blame blame, Time began, unsigned use = 1, std::string domain = "shop.example") {
    Answer a;
    a.typed = Typed::of(blame);
    a.began = began;
    a.use = use;
    a.sender_domain = std::move(domain);
    a.said = "4xx";
    return a;
}

/// One lane and a test that plays its connections by hand. A site is called like its destination.
struct Rig {
    explicit Rig(ScheduleLimits l) : scheduler(std::move(l)) {}
    Scheduler scheduler;
    Disk disk;
    Time now = start;

    Plan plan() {
        auto p = scheduler.plan(now);
        for (auto const& destination : p.resolve) {
            scheduler.routed(destination, "mx." + destination, "mx." + destination, now + 1h, now);
        }
        for (auto const& refill : p.refill) {
            scheduler.refilled(
                refill.stream, disk.due(refill.stream, refill.after, refill.max), refill.max, now);
        }
        return p;
    }
    /// Plans until nothing more happens; the lanes that a connection was asked for, one by one.
    std::vector<std::string> connects() {
        std::vector<std::string> lanes;
        for (int i = 0; i < 5; ++i) {
            auto p = plan();
            lanes.insert(lanes.end(), p.connect.begin(), p.connect.end());
        }
        return lanes;
    }
    void connect(const std::string& lane) {
        ASSERT_FALSE(connects().empty());
        scheduler.greeted(lane, now);
    }
    std::optional<Pick> next(const std::string& lane, unsigned max = 100) {
        return scheduler.next(lane, max, now).pick;
    }
    void deliver(const Pick& pick) {
        scheduler.ended(pick, now);
        scheduler.passed(pick.lane, answer(Blame::none, now), now);
        for (auto const& w : pick.works) {
            disk.erase(w.key);
            scheduler.finished(w.key);
        }
    }
    void arrive(const Work& w) {
        disk.put(w);
        scheduler.arrived({&w, 1}, nullptr, now);
    }
};

TEST(Scheduler, AnArrivalIsRoutedConnectedAndHandedOutOnce) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    EXPECT_EQ(rig.connects(), std::vector<std::string>{"mx.a.example"});
    rig.scheduler.greeted("mx.a.example", rig.now);
    auto const pick = rig.next("mx.a.example");
    ASSERT_TRUE(pick);
    EXPECT_EQ(pick->works.size(), 1U);
    EXPECT_FALSE(rig.next("mx.a.example"));
    rig.deliver(*pick);
    rig.scheduler.idle_ended("mx.a.example");
    rig.scheduler.connection_closed("mx.a.example", rig.now);
    rig.plan();
    EXPECT_TRUE(rig.scheduler.destinations(rig.now).empty());
    EXPECT_EQ(rig.scheduler.connections(), 0U);
    EXPECT_EQ(rig.scheduler.in_memory(), 0U);
}

TEST(Scheduler, OneTransactionHoldsOneMessageAndOneDestination) {
    Rig rig(limits());
    for (std::uint16_t i = 0; i < 3; ++i) {
        rig.arrive(work(1, i, "a.example", start));
    }
    rig.arrive(work(2, 0, "a.example", start));
    rig.connect("mx.a.example");
    auto const first = rig.next("mx.a.example", 2);
    auto const second = rig.next("mx.a.example", 2);
    auto const third = rig.next("mx.a.example", 2);
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(first->works.size(), 2U);
    EXPECT_EQ(second->works.size(), 1U);
    EXPECT_EQ(third->message, MessageId{2});
}

TEST(Scheduler, ABulkTransactionHasOneRecipient) {
    Rig rig(limits());
    for (std::uint16_t i = 0; i < 3; ++i) {
        rig.arrive(work(1, i, "a.example", start, Class::bulk));
    }
    rig.connect("mx.a.example");
    for (int i = 0; i < 3; ++i) {
        auto const pick = rig.next("mx.a.example");
        ASSERT_TRUE(pick);
        EXPECT_EQ(pick->works.size(), 1U);
    }
}

TEST(Scheduler, APasswordResetOvertakesANewsletterButNeverStarvesIt) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 50; ++m) {
        rig.arrive(work(m, 0, "a.example", start, Class::bulk));
    }
    for (std::uint64_t m = 101; m <= 150; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    rig.connect("mx.a.example");
    unsigned bulk = 0;
    for (int i = 0; i < 27; ++i) {
        auto const pick = rig.next("mx.a.example", 1);
        ASSERT_TRUE(pick);
        if (i == 0) {
            EXPECT_EQ(pick->works[0].klass, Class::transactional);
        }
        bulk += pick->works[0].klass == Class::bulk ? 1 : 0;
    }
    EXPECT_EQ(bulk, 3U);
}

// Goal: the ceiling of connections holds, and is reached only as messages go through: a new
// receiver is not met by all of them at once. Method: connections are granted as asked for; after
// each message the scheduler may ask for more.
TEST(Scheduler, NoMoreConnectionsThanTheLaneAllows) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 500; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    unsigned open = 0;
    for (int round = 0; round < 60; ++round) {
        auto const asked = rig.connects();
        ASSERT_LE(asked.size(), 1U) << "one beyond what is known, and its answer first";
        for (auto const& lane : asked) {
            rig.scheduler.greeted(lane, rig.now);
            ++open;
        }
        ASSERT_LE(open, 4U);
        if (round < 2) {
            EXPECT_LE(open, 2U);
        }
        auto const pick = rig.next("mx.a.example", 1);
        ASSERT_TRUE(pick);
        rig.now += 10ms;
        rig.deliver(*pick);
    }
    EXPECT_EQ(open, 4U);
}

TEST(Scheduler, NotOneConnectionPerMessage) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 8; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    EXPECT_EQ(rig.connects().size(), 1U);
    rig.scheduler.greeted("mx.a.example", rig.now);
    EXPECT_TRUE(rig.connects().empty());
}

TEST(Scheduler, AnIdleConnectionIsUsedBeforeANewOneIsOpened) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    rig.connect("mx.a.example");
    ASSERT_TRUE(rig.next("mx.a.example", 1));
    ASSERT_FALSE(rig.next("mx.a.example", 1));
    rig.arrive(work(2, 0, "a.example", start));
    auto const plan = rig.plan();
    EXPECT_EQ(plan.wake, std::vector<std::string>{"mx.a.example"});
    EXPECT_TRUE(plan.connect.empty());
}

TEST(Scheduler, ASiteThatCannotBeReachedIsLeftAloneLongerEachTime) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    Duration last{};
    ASSERT_EQ(rig.connects().size(), 1U);
    for (int round = 0; round < 6; ++round) {
        auto picks = rig.scheduler.take_all("mx.a.example");
        ASSERT_EQ(picks.size(), 1U);
        rig.scheduler.unreachable("mx.a.example", "refused", rig.now);
        auto w = picks[0].works[0];
        w.due = rig.now;  // even if the work is due again at once …
        rig.disk.put(w);
        rig.scheduler.deferred(w);
        auto const asked = rig.now;
        while (rig.connects().empty()) {
            rig.now += 1s;
        }  // … the site is not asked
        auto const waited = rig.now - asked;
        EXPECT_GT(waited, last);
        last = waited;
    }
    EXPECT_GE(last, 15min);
}

TEST(Scheduler, APauseIsNeverShortened) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    rig.plan();
    rig.scheduler.pause("mx.a.example", start + 10min, "too fast");
    rig.scheduler.pause("mx.a.example", start + 1min, "too fast");
    EXPECT_TRUE(rig.connects().empty());
    auto const view = rig.scheduler.destination("a.example", rig.now);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->wait_until, start + 10min);
    EXPECT_EQ(view->wait_reason, "too fast");
    rig.now = start + 10min;
    EXPECT_EQ(rig.connects().size(), 1U);
}

TEST(Scheduler, WhatWasNotTriedTeachesNothing) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    ASSERT_EQ(rig.connects().size(), 1U);
    rig.scheduler.not_tried("mx.a.example", rig.now + 1min, "no address of this machine", rig.now);
    EXPECT_TRUE(rig.scheduler.unsaved().empty());
    EXPECT_TRUE(rig.connects().empty());
    EXPECT_EQ(rig.scheduler.connections(), 0U);
    rig.now += 1min;
    EXPECT_EQ(rig.connects().size(), 1U);
}

TEST(Scheduler, MemoryFollowsTheWindowNotTheQueue) {
    auto l = limits();
    l.window = 300;
    Rig rig(l);
    for (std::uint64_t m = 1; m <= 5'000; ++m) {
        rig.arrive(work(m, 0, "d" + std::to_string(m % 7) + ".example", start));
    }
    EXPECT_LE(rig.scheduler.in_memory(), 300U);
    rig.connects();
    EXPECT_LE(rig.scheduler.in_memory(), 300U + 200U);
}

TEST(Scheduler, BulkLeavesRoomInTheWindow) {
    auto l = limits();
    l.window = 400;
    Rig rig(l);
    for (std::uint64_t m = 1; m <= 5'000; ++m) {
        rig.arrive(work(m, 0, "d" + std::to_string(m % 7) + ".example", start, Class::bulk));
    }
    rig.connects();
    EXPECT_LE(rig.scheduler.in_memory(), 300U);
    // Straight into memory, without a look at the disk.
    auto const before = rig.scheduler.in_memory();
    rig.arrive(work(9'000, 0, "d1.example", start));
    EXPECT_EQ(rig.scheduler.in_memory(), before + 1);
}

TEST(Scheduler, AClaimedWorkIsNotHandedOutAndOneInFlightIsNotClaimed) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    rig.arrive(work(2, 0, "a.example", start));
    rig.connect("mx.a.example");
    auto const flying = rig.next("mx.a.example", 1);
    ASSERT_TRUE(flying);
    EXPECT_FALSE(rig.scheduler.claim(flying->works[0]));
    EXPECT_TRUE(rig.scheduler.claim(work(2, 0, "a.example", start)));
    EXPECT_FALSE(rig.next("mx.a.example", 1));
    // Not even when the disk is read again before the operator's change is there.
    rig.scheduler.noticed(stream_name(work(2, 0, "a.example", start)), start);
    rig.plan();
    EXPECT_TRUE(rig.plan().wake.empty());
    rig.scheduler.deferred(work(2, 0, "a.example", start));
    EXPECT_EQ(rig.plan().refill.size() + rig.plan().wake.size(), 2U);
}

TEST(Scheduler, TheTotalOfConnectionsGoesRound) {
    auto l = limits();
    l.connections_total = 3;
    Rig rig(l);
    for (std::uint64_t m = 0; m < 20; ++m) {
        rig.arrive(work(m + 1, 0, "d" + std::to_string(m) + ".example", start));
    }
    std::set<std::string> served;
    for (int round = 0; round < 20; ++round) {
        for (auto const& lane : rig.connects()) {
            rig.scheduler.greeted(lane, rig.now);
            served.insert(lane);
            ASSERT_LE(rig.scheduler.connections(), 3U);
            auto const pick = rig.next(lane);
            ASSERT_TRUE(pick);
            rig.deliver(*pick);
            rig.scheduler.connection_closed(lane, rig.now);
        }
    }
    EXPECT_EQ(served.size(), 20U);
}

}  // namespace
}  // namespace millrace::relay
