// Goal: what an operator's order holds is not sent and is in nobody's way; the rest goes on, and
// all of it goes when the order ends.
#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

Order pause_of(std::string_view about, Time until = never) {
    return {OrderVerb::pause, *OrderTarget::parse(about), start, until, "uid 0", "disks"};
}

OperatorOrders orders_of(std::string_view about, Time until = never) {
    OperatorOrders orders;
    EXPECT_TRUE(orders.give(pause_of(about, until), start));
    return orders;
}

/// Every destination is routed to a site of its own, every connection is had at once.
struct Rig {
    explicit Rig(std::size_t window = 20'000) : scheduler(limits(window)) {}
    static ScheduleLimits limits(std::size_t window) {
        ScheduleLimits l;
        l.window = window;
        return l;
    }

    Scheduler scheduler;
    std::map<WorkKey, Work> disk;
    std::set<std::string> open;
    std::vector<MessageId> sent;
    std::set<std::string> looked_up;
    std::size_t read = 0;  ///< works, from disk
    Time now = start;

    Work work(std::uint64_t message, const std::string& destination) const {
        Work w;
        w.key = {MessageId{message}, 0};
        w.destination = destination;
        w.due = now;
        w.recipient = "r@" + destination;
        w.account = "bank";
        w.sender_domain = "bank.example";
        return w;
    }
    void arrive(const Work& w) {
        disk[w.key] = w;
        scheduler.arrived({&w, 1}, nullptr, now);
    }
    std::vector<Work> due(const std::string& stream, DueCursor after, unsigned max) {
        std::vector<Work> all;
        for (auto const& [key, w] : disk) {
            bool const behind = std::pair(w.due, key) > std::pair(after.due, after.key);
            if (stream_name(w) == stream && behind) all.push_back(w);
        }
        std::ranges::sort(all, {}, [](const Work& w) { return std::pair(w.due, w.key); });
        if (all.size() > max) all.resize(max);
        read += all.size();
        return all;
    }
    /// Everything that can be done now.
    void settle() {
        for (int i = 0; i < 200; ++i) {
            auto plan = scheduler.plan(now);
            for (auto const& d : plan.resolve) {
                looked_up.insert(d);
                scheduler.routed(d, "mx." + d, "who." + d, now + 1h, now);
            }
            for (auto const& r : plan.refill) {
                scheduler.refilled(r.stream, due(r.stream, r.after, r.max), r.max, now);
            }
            for (auto const& lane : plan.connect) {
                scheduler.greeted(lane, now);
                send(lane);
            }
            for (auto const& lane : plan.wake)
                send(lane);
        }
    }
    void send(const std::string& lane) {
        while (true) {
            auto next = scheduler.next(lane, 100, now);
            if (next.leave) scheduler.connection_closed(lane, now);
            if (!next.pick) return;
            sent.push_back(next.pick->message);
            scheduler.ended(*next.pick, now);
            for (auto const& w : next.pick->works) {
                disk.erase(w.key);
                scheduler.finished(w.key);
            }
        }
    }
};

using Ids = std::vector<MessageId>;

TEST(SchedulerOrders, APausedAccountWaitsOnDiskAndTheOthersGo) {
    Rig rig;
    rig.scheduler.set_orders(orders_of("account:shop", start + 1h), rig.now);
    for (std::uint64_t i = 1; i <= 4; ++i) {
        auto w = rig.work(i, "a.example");
        if (i % 2 == 1) w.account = "shop";
        rig.arrive(w);
    }
    rig.settle();
    EXPECT_EQ(rig.sent, (Ids{MessageId{2}, MessageId{4}}));
    EXPECT_EQ(rig.scheduler.in_memory(), 0U);
    auto const view = rig.scheduler.destination("a.example", rig.now);
    ASSERT_TRUE(view);
    EXPECT_EQ(view->wait_reason, "paused by uid 0: disks; millrace resume account:shop");
    EXPECT_EQ(view->wait_until, start + 1h);
    rig.now = start + 59min;
    rig.settle();
    EXPECT_EQ(rig.sent.size(), 2U);
    EXPECT_EQ(rig.scheduler.plan(rig.now).wake_at, start + 1h);
    rig.now = start + 1h;  // it ends by itself
    rig.settle();
    EXPECT_EQ(rig.sent, (Ids{MessageId{2}, MessageId{4}, MessageId{1}, MessageId{3}}));
}

TEST(SchedulerOrders, APauseReadsNothingLooksNothingUpAndFillsNoWindow) {
    Rig rig(50);
    rig.scheduler.set_orders(orders_of("from:news.example"), rig.now);
    for (std::uint64_t i = 1; i <= 500; ++i) {
        auto w = rig.work(i, i % 2 == 0 ? "a.example" : "b.example");
        w.sender_domain = "news.example";
        rig.disk[w.key] = w;
        rig.scheduler.noticed(stream_name(w), w.due);
    }
    rig.settle();
    EXPECT_TRUE(rig.looked_up.empty());
    EXPECT_EQ(rig.read, 0U);
    rig.arrive(rig.work(1'000, "a.example"));
    rig.settle();
    EXPECT_EQ(rig.sent, Ids{MessageId{1'000}});
    EXPECT_EQ(rig.scheduler.in_memory(), 0U);
    rig.scheduler.set_orders({}, rig.now);
    for (int i = 0; i < 100; ++i) {
        rig.now += 10s;
        rig.settle();
    }
    EXPECT_EQ(rig.sent.size(), 501U);
    EXPECT_TRUE(rig.disk.empty());
}

TEST(SchedulerOrders, SiteAndProviderAreKnownOnceItIsRouted) {
    for (auto const* const about : {"site:mx.a.example", "provider:who.a.example", "a.example"}) {
        Rig rig;
        rig.scheduler.set_orders(orders_of(about), rig.now);
        rig.arrive(rig.work(1, "a.example"));
        rig.arrive(rig.work(2, "b.example"));
        rig.settle();
        EXPECT_EQ(rig.sent, Ids{MessageId{2}}) << about;
        rig.scheduler.set_orders({}, rig.now);
        rig.settle();
        EXPECT_EQ(rig.sent.size(), 2U) << about;
    }
}

TEST(SchedulerOrders, ADrainLetsGoWhatWasThere) {
    Rig rig;
    OperatorOrders orders;
    auto drain = pause_of("all");
    drain.verb = OrderVerb::drain;
    MessageIds ids(0);
    auto const before = ids.next(start), after = ids.next(start + 1s);
    ASSERT_TRUE(orders.give(drain, start));
    rig.scheduler.set_orders(orders, rig.now);
    rig.now += 2s;
    for (auto const id : {after, before}) {
        auto w = rig.work(id.value, "a.example");
        rig.arrive(w);
    }
    rig.settle();
    EXPECT_EQ(rig.sent, Ids{before});
    rig.scheduler.set_orders({}, rig.now);
    rig.settle();
    EXPECT_EQ(rig.sent, (Ids{before, after}));
}

TEST(SchedulerOrders, OrdersThatComeAndGoLoseNothing) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SeededRandom random(seed);
        Rig rig(60);
        const char* const targets[] = {
            "d1.example", "site:mx.d2.example", "account:bank", "account:shop", "from:x", "all"};
        std::uint64_t arrived = 0;
        for (int step = 0; step < 300; ++step) {
            rig.now += std::chrono::milliseconds(random.below(2'000));
            for (auto n = random.below(5); n > 0; --n) {
                auto w = rig.work(++arrived, "d" + std::to_string(random.below(4)) + ".example");
                if (random.below(2) == 0) w.account = "shop";
                if (random.below(4) == 0) w.sender_domain = "x";
                rig.arrive(w);
            }
            if (random.below(5) == 0) {
                auto orders = rig.scheduler.orders();
                auto const* const about = targets[random.below(std::size(targets))];
                if (!orders.lift(*OrderTarget::parse(about))) {
                    auto const ends = rig.now + std::chrono::seconds(1 + random.below(20));
                    auto const until = random.below(3) == 0 ? never : Time(ends);
                    ASSERT_TRUE(orders.give(pause_of(about, until), rig.now));
                }
                rig.scheduler.set_orders(std::move(orders), rig.now);
            }
            for (int i = 0; i < 3; ++i) {
                auto plan = rig.scheduler.plan(rig.now);
                for (auto const& d : plan.resolve)
                    rig.scheduler.routed(d, "mx." + d, "who." + d, rig.now + 1min, rig.now);
                for (auto const& r : plan.refill)
                    rig.scheduler.refilled(
                        r.stream, rig.due(r.stream, r.after, r.max), r.max, rig.now);
                for (auto const& lane : plan.connect)
                    rig.scheduler.greeted(lane, rig.now);
                for (auto const* const list : {&plan.connect, &plan.wake}) {
                    for (auto const& lane : *list)
                        rig.send(lane);
                }
            }
            ASSERT_LE(rig.scheduler.in_memory(), 60U + 200U);
        }
        rig.scheduler.set_orders({}, rig.now);
        for (int i = 0; i < 60; ++i) {
            rig.now += 10s;
            rig.settle();
        }
        EXPECT_EQ(rig.sent.size(), arrived) << "seed " << seed;
        EXPECT_TRUE(rig.disk.empty()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace millrace::relay
