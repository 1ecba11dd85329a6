#include "relay/schedule/scheduler.hpp"

#include <deque>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "tests/unit/schedule/disk.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

Work work(std::uint64_t message,
          std::uint16_t index,
          const std::string& destination,
          Time due,
          Class klass = Class::transactional) {
    Work w;
    w.key = {MessageId{message}, index};
    w.destination = destination;
    w.due = due;
    w.klass = klass;
    w.recipient = "r@" + destination;
    return w;
}

ScheduleLimits limits() {
    ScheduleLimits l;
    l.lane.connections = 4;
    return l;
}

/// Routes every destination to a site of the same name unless told otherwise.
struct Rig {
    explicit Rig(ScheduleLimits l) : scheduler(l) {}
    Scheduler scheduler;
    Disk disk;
    Time now = start;

    Plan plan() {
        auto p = scheduler.plan(now);
        for (auto const& destination : p.resolve) {
            scheduler.routed(destination, "mx." + destination, now + 1h, now);
        }
        for (auto const& refill : p.refill) {
            scheduler.refilled(refill.destination,
                               disk.due(refill.destination, refill.after, refill.max),
                               refill.max,
                               now);
        }
        return p;
    }
    /// Plans until a connection is asked for or nothing more happens.
    std::vector<std::string> connects() {
        std::vector<std::string> sites;
        for (int i = 0; i < 5; ++i) {
            auto p = plan();
            sites.insert(sites.end(), p.connect.begin(), p.connect.end());
        }
        return sites;
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
    auto const pick = rig.scheduler.next("mx.a.example", 100, rig.now);
    ASSERT_TRUE(pick);
    EXPECT_EQ(pick->works.size(), 1U);
    EXPECT_FALSE(rig.scheduler.next("mx.a.example", 100, rig.now));
    rig.disk.erase(pick->works[0].key);
    rig.scheduler.finished(pick->works[0].key);
    rig.scheduler.connection_closed(
        "mx.a.example", {.reached = true, .was_idle = true, .reason = {}}, rig.now);
    rig.plan();
    EXPECT_TRUE(rig.scheduler.destinations(rig.now).empty());
}

TEST(Scheduler, OneTransactionHoldsOneMessageAndOneDestination) {
    Rig rig(limits());
    for (std::uint16_t i = 0; i < 3; ++i) {
        rig.arrive(work(1, i, "a.example", start));
    }
    rig.arrive(work(2, 0, "a.example", start));
    rig.connects();
    auto const first = rig.scheduler.next("mx.a.example", 2, rig.now);
    auto const second = rig.scheduler.next("mx.a.example", 2, rig.now);
    auto const third = rig.scheduler.next("mx.a.example", 2, rig.now);
    ASSERT_TRUE(first && second && third);
    EXPECT_EQ(first->works.size(), 2U);
    EXPECT_EQ(second->works.size(), 1U);
    EXPECT_EQ(third->message, MessageId{2});
}

TEST(Scheduler, APasswordResetOvertakesANewsletterButNeverStarvesIt) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 50; ++m) {
        rig.arrive(work(m, 0, "a.example", start, Class::bulk));
    }
    for (std::uint64_t m = 101; m <= 150; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    rig.connects();
    unsigned bulk = 0;
    for (int i = 0; i < 27; ++i) {
        auto const pick = rig.scheduler.next("mx.a.example", 1, rig.now);
        ASSERT_TRUE(pick);
        if (i == 0) {
            EXPECT_EQ(pick->works[0].klass, Class::transactional);
        }
        bulk += pick->works[0].klass == Class::bulk ? 1 : 0;
    }
    EXPECT_EQ(bulk, 3U);
}

TEST(Scheduler, NoMoreConnectionsThanTheLaneAllows) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 500; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    EXPECT_EQ(rig.connects().size(), 4U);
    EXPECT_TRUE(rig.connects().empty());
}

TEST(Scheduler, NotOneConnectionPerMessage) {
    Rig rig(limits());
    for (std::uint64_t m = 1; m <= 8; ++m) {
        rig.arrive(work(m, 0, "a.example", start));
    }
    EXPECT_EQ(rig.connects().size(), 1U);
}

TEST(Scheduler, AnIdleConnectionIsUsedBeforeANewOneIsOpened) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    rig.connects();
    ASSERT_TRUE(rig.scheduler.next("mx.a.example", 1, rig.now));
    ASSERT_FALSE(rig.scheduler.next("mx.a.example", 1, rig.now));
    rig.arrive(work(2, 0, "a.example", start));
    auto const plan = rig.plan();
    EXPECT_EQ(plan.wake, std::vector<std::string>{"mx.a.example"});
    EXPECT_TRUE(plan.connect.empty());
}

TEST(Scheduler, ASiteThatCannotBeReachedIsLeftAloneLongerEachTime) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    Duration last{};
    for (int round = 0; round < 4; ++round) {
        ASSERT_EQ(rig.connects().size(), 1U);
        auto picks = rig.scheduler.take_all("mx.a.example");
        ASSERT_EQ(picks.size(), 1U);
        rig.scheduler.connection_closed(
            "mx.a.example", {.reached = false, .was_idle = false, .reason = "refused"}, rig.now);
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
        rig.scheduler.connection_closed("mx.a.example", {}, rig.now);
    }
}

TEST(Scheduler, APauseIsNeverShortened) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
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

TEST(Scheduler, AClaimedWorkIsNotHandedOutAndOneInFlightIsNotClaimed) {
    Rig rig(limits());
    rig.arrive(work(1, 0, "a.example", start));
    rig.arrive(work(2, 0, "a.example", start));
    rig.connects();
    auto const flying = rig.scheduler.next("mx.a.example", 1, rig.now);
    ASSERT_TRUE(flying);
    EXPECT_FALSE(rig.scheduler.claim(flying->works[0]));
    EXPECT_TRUE(rig.scheduler.claim(work(2, 0, "a.example", start)));
    EXPECT_FALSE(rig.scheduler.next("mx.a.example", 1, rig.now));
    // Not even when the disk is read again before the operator's change is there.
    rig.scheduler.noticed("a.example", start);
    rig.plan();
    EXPECT_TRUE(rig.plan().wake.empty());
    rig.scheduler.deferred(work(2, 0, "a.example", start));
    EXPECT_EQ(rig.plan().refill.size() + rig.plan().wake.size(), 2U);
}

/// Goal: under random arrivals, outcomes, pauses, route changes, slow refills and operators, every
/// work is handed out, never twice at once, never before its due time, and within the limits.
/// Method: a random driver over the pure scheduler; refills are answered late, from an old reading
/// of disk.
class SchedulerRandomWalk : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SchedulerRandomWalk, LosesNothingDoublesNothing) {
    SeededRandom random(GetParam());
    auto l = limits();
    l.window = 50 + random.below(300);
    l.connections_total = 6;
    l.lane.messages_per_second = random.below(2) == 0 ? 0 : 20;
    Scheduler scheduler(l);
    Disk disk;
    struct Answer {
        std::string destination;
        std::vector<Work> works;
        unsigned asked;
        Time at;
    };
    std::deque<Answer> answers;
    std::map<WorkKey, Pick> flying_by_key;
    std::vector<std::pair<std::string, Pick>> flying;
    std::multiset<std::string> open;
    std::multiset<std::string> idle;
    std::uint64_t arrived = 0;
    std::uint64_t delivered = 0;
    auto now = start;

    auto settle = [&](const std::string& site, Pick pick) {
        for (auto& w : pick.works) {
            flying_by_key.erase(w.key);
            if (random.below(4) == 0) {
                w.due = now + std::chrono::seconds(1 + random.below(60));
                ++w.version;
                disk.put(w);
                scheduler.deferred(w);
            } else {
                disk.erase(w.key);
                ++delivered;
                scheduler.finished(w.key);
                scheduler.succeeded(site);
            }
        }
    };
    for (int step = 0; step < 30'000; ++step) {
        bool const draining = step > 8'000;
        if (draining && disk.size() == 0) {
            break;
        }
        now += std::chrono::milliseconds(random.below(draining ? 400 : 60));
        if (!draining && random.below(3) == 0) {
            auto const n = 1 + random.below(4);
            ++arrived;
            std::vector<Work> works;
            for (std::uint16_t i = 0; i < n; ++i) {
                works.push_back(work(arrived,
                                     i,
                                     "d" + std::to_string(random.below(9)) + ".example",
                                     now,
                                     random.below(3) == 0 ? Class::bulk : Class::transactional));
                disk.put(works.back());
            }
            scheduler.arrived(works, nullptr, now);
        }
        auto plan = scheduler.plan(now);
        for (auto const& d : plan.resolve) {
            scheduler.routed(d,
                             "s" + std::to_string(random.below(4)),
                             now + std::chrono::seconds(5 + random.below(60)),
                             now);
        }
        for (auto const& r : plan.refill) {
            answers.push_back({r.destination,
                               disk.due(r.destination, r.after, r.max),
                               r.max,
                               now + std::chrono::milliseconds(random.below(500))});
        }
        while (!answers.empty() && answers.front().at <= now) {
            auto a = std::move(answers.front());
            answers.pop_front();
            if (random.below(20) == 0) {
                scheduler.refill_failed(a.destination, now + 1s);
            } else {
                scheduler.refilled(a.destination, std::move(a.works), a.asked, now);
            }
        }
        for (auto const& s : plan.connect) {
            open.insert(s);
        }
        for (auto const& s : plan.wake) {
            ASSERT_TRUE(idle.contains(s));
            idle.erase(idle.find(s));
        }
        for (auto const& s : std::set<std::string>(open.begin(), open.end())) {
            ASSERT_LE(open.count(s), l.lane.connections);
        }
        ASSERT_LE(open.size(), l.connections_total);
        // A busy connection asks for its next message, or breaks, or is idle until woken.
        auto sites = std::vector<std::string>(open.begin(), open.end());
        for (auto const& s : sites) {
            auto const busy = open.count(s) - idle.count(s);
            auto const sending = static_cast<std::size_t>(
                std::ranges::count_if(flying, [&](auto const& f) { return f.first == s; }));
            if (busy > sending) {
                if (random.below(30) == 0) {
                    // Once the faults stop, nothing is in the way any more.
                    bool const reached = draining || random.below(3) != 0;
                    if (!reached) {
                        for (auto& pick : scheduler.take_all(s)) {
                            settle(s, std::move(pick));
                        }
                    }
                    open.erase(open.find(s));
                    scheduler.connection_closed(s, {reached, false, "broke"}, now);
                } else if (auto pick =
                               scheduler.next(s, 1 + static_cast<unsigned>(random.below(3)), now)) {
                    for (auto const& w : pick->works) {
                        ASSERT_LE(w.due, now);
                        ASSERT_TRUE(flying_by_key.emplace(w.key, *pick).second)
                            << "handed out twice";
                        ASSERT_TRUE(disk.all().contains(w.key))
                            << "handed out after it was finished";
                        ASSERT_EQ(disk.all().at(w.key).version, w.version)
                            << "handed out in an old state";
                    }
                    flying.emplace_back(s, std::move(*pick));
                } else {
                    idle.insert(s);
                }
            } else if (idle.contains(s) && random.below(20) == 0) {
                idle.erase(idle.find(s));
                open.erase(open.find(s));
                scheduler.connection_closed(s, {true, true, {}}, now);
            }
        }
        if (!flying.empty() && random.below(2) == 0) {
            auto const which = static_cast<std::ptrdiff_t>(random.below(flying.size()));
            auto [site, pick] = std::move(flying[static_cast<std::size_t>(which)]);
            flying.erase(flying.begin() + which);
            if (random.below(10) == 0) {
                for (auto const& w : pick.works) {
                    flying_by_key.erase(w.key);
                }
                scheduler.put_back(std::move(pick), now);
            } else {
                settle(site, std::move(pick));
            }
        }
        if (random.below(10) == 0 && disk.size() > 0) {
            auto w = std::next(disk.all().begin(),
                               static_cast<std::ptrdiff_t>(random.below(disk.size())))
                         ->second;
            if (scheduler.claim(w)) {
                ASSERT_FALSE(flying_by_key.contains(w.key));
                ++w.version;
                w.due = now + std::chrono::seconds(random.below(5));
                disk.put(w);
                scheduler.deferred(w);
            }
        }
        if (random.below(300) == 0) {
            scheduler.pause("s" + std::to_string(random.below(4)),
                            now + std::chrono::seconds(random.below(20)),
                            "test");
        }
        ASSERT_LE(scheduler.in_memory(), l.window + 200);
    }
    std::string left;
    for (auto const& view : scheduler.destinations(now)) {
        left += view.destination + " at " + view.site + ": ready " + std::to_string(view.ready) +
                ", in flight " + std::to_string(view.in_flight) + ", waits for " +
                view.wait_reason + "\n";
    }
    EXPECT_EQ(disk.size(), 0U) << "work was forgotten: " << flying.size() << " transactions, "
                               << open.size() << " connections, " << idle.size() << " idle\n"
                               << left;
    EXPECT_GT(delivered, 2'000U);
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerRandomWalk, testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace millrace::relay
