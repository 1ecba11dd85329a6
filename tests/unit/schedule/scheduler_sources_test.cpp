// Goal: with several sources every message leaves from its own for all its attempts, another one
// takes it only for reasons of ours, and a source that is warmed up never sends more than its day
// allows, whatever is restarted.
#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "tests/unit/schedule/disk.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

config::Source source(const std::string& address, const std::string& name, bool warm_up = false) {
    config::Source s;
    s.address = address;
    s.name = name;
    s.warm_up = warm_up;
    s.warm_up_first = 40;
    s.warm_up_goal = 1'000;
    return s;
}

struct Try {
    WorkKey key;
    std::string source;
    bool taken = false;
    Time at{};
};

/// Drives a scheduler as the dispatcher does; a connection is had at once, a message takes 20 ms.
struct Rig {
    explicit Rig(std::vector<config::Source> sources) {
        config::Relay relay;
        relay.sources = std::move(sources);
        limits.sources = SourcePools::from(relay);
        boot();
    }

    ScheduleLimits limits;
    std::unique_ptr<Scheduler> scheduler;
    Disk disk;
    std::map<std::string, std::string> notes;
    OperatorOrders orders;
    std::vector<Try> tries;
    Time now = start;
    std::uint64_t last_id = 0;
    bool notes_fail = false;
    /// Whether a message is put off.
    std::function<bool(const Work&, const std::string& source)> put_off = [](auto&, auto&) {
        return false;
    };
    std::function<Blame(const std::string& source)> refuse = [](auto&) {
        return Blame::none;
    };
    std::set<std::string> not_ours;  ///< sources that cannot be bound

    void boot() {
        scheduler = std::make_unique<Scheduler>(limits);
        scheduler->set_orders(orders, now);
        std::map<std::string, Time> first;
        for (auto const& [key, work] : disk.all()) {
            auto const [at, fresh] = first.try_emplace(stream_name(work), work.due);
            if (!fresh) at->second = std::min(at->second, work.due);
        }
        for (auto const& [stream, due] : first)
            scheduler->noticed(stream, due);
    }
    void die() { boot(); }
    void restart() {
        save(true);
        boot();
    }
    void save(bool last = false) {
        for (auto& [name, note] : scheduler->unsaved_rations(last))
            notes[name] = note;
        for (auto& [name, note] : scheduler->unsaved())
            notes[name] = note;
    }

    Work mail(const std::string& to, Class klass = Class::transactional) {
        Work w;
        w.key = {MessageId{++last_id}, 0};
        w.destination = to;
        w.due = now;
        w.klass = klass;
        w.account = "shop";
        w.sender_domain = "shop.example";
        w.recipient = "r" + std::to_string(last_id) + "@" + to;
        std::vector<Work> one{w};
        assign_slots(one, limits.sources);
        return one.front();
    }
    void arrive(const Work& w) {
        disk.put(w);
        scheduler->arrived({&w, 1}, nullptr, now);
    }
    void send(unsigned count, const std::string& to = "mail.example") {
        while (count-- > 0)
            arrive(mail(to));
    }

    void resolve(const std::string& name) {
        for (auto const& one : limits.sources.sources()) {
            auto const share = Scheduler::share_name(one.name, "who." + name);
            if (!scheduler->is_new(share)) continue;
            if (notes.contains(share)) scheduler->restore(share, notes[share], now);
            for (auto const& note : scheduler->rations_of(one.name, "who." + name))
                scheduler->restore_ration(one.name, "who." + name, note, notes[note], now);
        }
        scheduler->routed(name, "mx." + name, "who." + name, now + 1h, now);
    }

    /// Everything that can be done now.
    void settle() {
        for (int i = 0; i < 10'000; ++i) {
            auto plan = scheduler->plan(now);
            auto const before = tries.size();
            for (auto const& d : plan.resolve)
                resolve(d);
            for (auto const& r : plan.refill)
                scheduler->refilled(r.stream, disk.due(r.stream, r.after, r.max), r.max, now);
            for (auto const& p : plan.promises) {
                if (notes_fail) {
                    scheduler->not_kept(p.note, now);
                    continue;
                }
                notes[p.note] = p.value;
                scheduler->kept(p.note, now);
            }
            for (auto const& lane : plan.wake)
                converse(lane);
            for (auto const& lane : plan.connect)
                connect(lane);
            wake_at = plan.wake_at;
            bool const quiet = plan.resolve.empty() && plan.refill.empty() &&
                               plan.promises.empty() && tries.size() == before &&
                               plan.connect.empty() && plan.wake.empty() && wake_at > now;
            if (quiet) return;
        }
        FAIL() << "it asks to be asked again and again";
    }
    Time wake_at = never;
    void run_until(Time end) {
        settle();
        while (wake_at <= end) {
            now = std::max(now, wake_at);
            settle();
            save();
        }
        now = end;
        settle();
    }

    void connect(const std::string& lane) {
        auto const from = scheduler->source(lane);
        if (not_ours.contains(from)) {
            scheduler->not_tried(lane, now + 1min, "no address of this machine", now);
            scheduler->source_down(from, now + 1min, "no address of this machine", now);
            return;
        }
        scheduler->greeted(lane, now);
        converse(lane);
    }
    void converse(const std::string& lane) {
        auto const from = scheduler->source(lane);
        while (true) {
            auto next = scheduler->next(lane, 100, now);
            if (!next.pick) {
                if (!next.leave) scheduler->idle_ended(lane);
                scheduler->connection_closed(lane, now);
                return;
            }
            Answer answer;
            answer.began = now;
            answer.use = 1;
            answer.sender_domain = "shop.example";
            now += 20ms;
            scheduler->ended(*next.pick, now);
            if (auto const blame = refuse(from); blame != Blame::none) {
                answer.typed = Typed::of(blame);
                answer.said = "550 go away";
                answer.over_ipv6 = true;
                scheduler->refused(lane, answer, now);
                for (auto const& w : next.pick->works)
                    tries.push_back({w.key, from, false, now});
                scheduler->put_back(*next.pick, now);
                continue;
            }
            for (auto const& w : next.pick->works) {
                scheduler->unknown_user(lane, next.pick->stream, false, {}, now);
                bool const later = put_off(w, from);
                tries.push_back({w.key, from, !later, now});
                if (!later) {
                    disk.erase(w.key);
                    scheduler->finished(w.key);
                    continue;
                }
                auto changed = w;
                ++changed.attempts;
                changed.due = now + 10min;
                disk.put(changed);
                scheduler->deferred(changed);
            }
            scheduler->passed(lane, answer, now);
        }
    }

    std::map<std::string, std::size_t> taken_by_source() const {
        std::map<std::string, std::size_t> all;
        for (auto const& one : tries)
            all[one.source] += one.taken ? 1 : 0;
        return all;
    }
    void expect_each_taken_once(std::size_t count) const {
        std::map<WorkKey, int> times;
        for (auto const& one : tries)
            times[one.key] += one.taken ? 1 : 0;
        std::size_t taken = 0;
        for (auto const& [key, n] : times) {
            EXPECT_LE(n, 1) << key.message.value;
            taken += n > 0 ? 1 : 0;
        }
        EXPECT_EQ(taken, count);
    }
};

std::vector<config::Source> three() {
    return {source("192.0.2.1", "a"), source("192.0.2.2", "b"), source("192.0.2.3", "c")};
}

OperatorOrders orders_of(OrderVerb verb, std::string_view about) {
    OperatorOrders orders;
    EXPECT_TRUE(
        orders.give({verb, *OrderTarget::parse(about), start, never, "uid 0", "test"}, start));
    return orders;
}

TEST(SchedulerSources, MailOfOneDestinationIsSharedOut) {
    Rig rig(three());
    rig.send(600);
    rig.run_until(start + 10min);
    rig.expect_each_taken_once(600);
    for (auto const& [name, count] : rig.taken_by_source())
        EXPECT_NEAR(static_cast<double>(count), 200, 60) << name;
    EXPECT_EQ(rig.taken_by_source().size(), 3U);
}

TEST(SchedulerSources, AllAttemptsForAMessageComeFromOneSource) {
    Rig rig(three());
    std::map<WorkKey, int> left;
    rig.put_off = [&](const Work& w, const std::string&) {
        return left.try_emplace(w.key, w.key.message.value % 4).first->second-- > 0;
    };
    rig.send(300);
    for (int i = 0; i < 6; ++i) {
        rig.run_until(rig.now + 11min);
        i % 2 == 0 ? rig.die() : rig.restart();
    }
    rig.expect_each_taken_once(300);
    std::map<WorkKey, std::set<std::string>> from;
    for (auto const& one : rig.tries)
        from[one.key].insert(one.source);
    for (auto const& [key, names] : from)
        EXPECT_EQ(names.size(), 1U) << key.message.value;
}

TEST(SchedulerSources, ABlockMovesNothingToAnotherSource) {
    Rig rig(three());
    rig.refuse = [](const std::string& from) {
        return from == "a" ? Blame::reputation : Blame::none;
    };
    rig.send(300);
    rig.run_until(start + 6h);
    std::map<WorkKey, std::set<std::string>> from;
    for (auto const& one : rig.tries)
        from[one.key].insert(one.source);
    for (auto const& [key, names] : from)
        EXPECT_EQ(names.size(), 1U);
    EXPECT_EQ(rig.taken_by_source()["a"], 0U);
    EXPECT_GT(rig.disk.size(), 50U) << "its mail waits for it";
    EXPECT_LT(std::ranges::count(rig.tries, std::string("a"), &Try::source), 8);
}

TEST(SchedulerSources, WhatCannotBeBoundLeavesFromOthersAndComesBack) {
    Rig rig(three());
    rig.not_ours = {"b"};
    rig.send(300);
    rig.run_until(start + 10min);
    rig.expect_each_taken_once(300);
    EXPECT_EQ(rig.taken_by_source()["b"], 0U);
    rig.not_ours.clear();
    rig.run_until(start + 20min);
    rig.send(300);
    rig.run_until(start + 30min);
    rig.expect_each_taken_once(600);
    EXPECT_GT(rig.taken_by_source()["b"], 50U);
}

TEST(SchedulerSources, WhatWasTriedElsewhereStaysThere) {
    Rig rig(three());
    rig.not_ours = {"b"};
    std::set<WorkKey> seen;
    rig.put_off = [&](const Work& w, const std::string&) {
        return seen.insert(w.key).second;
    };
    rig.send(300);
    rig.run_until(start + 5min);
    EXPECT_EQ(rig.tries.size(), 300U);
    rig.not_ours.clear();
    rig.die();
    rig.run_until(start + 30min);
    rig.expect_each_taken_once(300);
    std::map<WorkKey, std::set<std::string>> from;
    for (auto const& one : rig.tries)
        from[one.key].insert(one.source);
    for (auto const& [key, names] : from)
        EXPECT_EQ(names.size(), 1U) << "b is back, but they are known from another one";
}

TEST(SchedulerSources, ADrainedSourceSendsOnlyWhatIsBoundToIt) {
    Rig rig(three());
    std::set<WorkKey> seen;
    rig.put_off = [&](const Work& w, const std::string&) {
        return seen.size() < 300 && seen.insert(w.key).second;
    };
    rig.send(300);
    rig.run_until(start + 5min);
    std::map<WorkKey, std::string> first;
    for (auto const& one : rig.tries)
        first[one.key] = one.source;
    ASSERT_EQ(first.size(), 300U);
    rig.orders = orders_of(OrderVerb::drain, "source:b");
    rig.scheduler->set_orders(rig.orders, rig.now);
    rig.send(300);
    rig.run_until(start + 1h);
    rig.expect_each_taken_once(600);
    for (auto const& one : rig.tries) {
        if (first.contains(one.key)) {
            EXPECT_EQ(one.source, first[one.key]);
        } else {
            EXPECT_NE(one.source, "b");
        }
    }
}

TEST(SchedulerSources, APausedSourceKeepsItsMailAndADrainedOneWithoutOthersToo) {
    for (auto const verb : {OrderVerb::pause, OrderVerb::drain}) {
        Rig rig(verb == OrderVerb::pause ? three() : std::vector{source("192.0.2.2", "b")});
        rig.orders = orders_of(verb, "192.0.2.2");
        rig.scheduler->set_orders(rig.orders, rig.now);
        rig.send(90);
        rig.run_until(start + 1h);
        EXPECT_EQ(rig.taken_by_source()["b"], 0U);
        EXPECT_GT(rig.disk.size(), 10U);
        auto const view = rig.scheduler->destination("mail.example", rig.now);
        EXPECT_NE(view->wait_reason.find("by uid 0: test"), std::string::npos) << view->wait_reason;
        rig.orders = {};
        rig.scheduler->set_orders({}, rig.now);
        rig.run_until(start + 2h);
        rig.expect_each_taken_once(90);
        EXPECT_GT(rig.taken_by_source()["b"], 10U);
    }
}

TEST(SchedulerSources, ABlockOfAnIpv6AddressCountsForItsNetwork) {
    Rig rig(
        {source("2001:db8:1::1", "a"), source("2001:db8:1::2", "b"), source("2001:db8:2::1", "c")});
    bool shut = true;
    rig.refuse = [&](const std::string& from) {
        return shut && from != "c" ? Blame::reputation : Blame::none;
    };
    rig.send(90);
    rig.run_until(start + 30min);
    // Whichever came first knocked once; the other has heard of it.
    auto const knocks =
        std::ranges::count_if(rig.tries, [](const Try& t) { return t.source != "c"; });
    EXPECT_EQ(knocks, 1);
    EXPECT_GT(rig.taken_by_source()["c"], 10U);
    shut = false;
    rig.run_until(start + 3h);
    rig.expect_each_taken_once(90);
}

// ---- warm-up

TEST(SchedulerSources, TheOverflowOfAWarmUpLeavesFromWarmSources) {
    Rig rig({source("192.0.2.1", "cold", true), source("192.0.2.2", "warm")});
    rig.send(1'000);
    rig.run_until(start + 30min);
    rig.expect_each_taken_once(1'000);
    EXPECT_EQ(rig.taken_by_source()["cold"], 5U) << "an hour's part of the first day";
    rig.run_until(start + 61min);
    rig.send(1'000);
    rig.run_until(start + 90min);
    EXPECT_EQ(rig.taken_by_source()["cold"], 10U);
    rig.expect_each_taken_once(2'000);
}

TEST(SchedulerSources, WhatWasRefusedForALimitIsNotSentFromElsewhere) {
    Rig rig({source("192.0.2.1", "cold", true), source("192.0.2.2", "warm")});
    unsigned refusals = 0;
    rig.refuse = [&](const std::string& from) {
        return from == "cold" && rig.tries.size() % 2 == 0 && ++refusals < 6 ? Blame::rate
                                                                             : Blame::none;
    };
    for (int i = 0; i < 20; ++i) {
        rig.send(10);
        rig.run_until(rig.now + 10min);
    }
    rig.run_until(rig.now + 24h);
    rig.expect_each_taken_once(200);
    EXPECT_GT(refusals, 2U);
    std::map<WorkKey, std::set<std::string>> from;
    for (auto const& one : rig.tries)
        from[one.key].insert(one.source);
    for (auto const& [key, names] : from)
        EXPECT_EQ(names.size(), 1U) << key.message.value;
}

TEST(SchedulerSources, AReceiverThatShutsUsOutGetsNoOverflow) {
    Rig rig({source("192.0.2.1", "cold", true), source("192.0.2.2", "warm")});
    rig.send(4);
    rig.run_until(start + 1min);
    rig.refuse = [](const std::string& from) {
        return from == "cold" ? Blame::reputation : Blame::none;
    };
    rig.send(200);
    rig.run_until(start + 40min);
    auto const waiting = rig.disk.size();
    EXPECT_GT(waiting, 50U) << "mail of the source that is shut out";
    rig.send(200);
    rig.run_until(start + 50min);
    EXPECT_GT(rig.disk.size(), waiting + 50);
}

TEST(SchedulerSources, WithoutAWarmSourceMailWaitsAndSaysSo) {
    Rig rig({source("192.0.2.1", "cold", true)});
    rig.send(100);
    rig.run_until(start + 30min);
    EXPECT_EQ(rig.taken_by_source()["cold"], 5U);
    auto const view = rig.scheduler->destination("mail.example", rig.now);
    EXPECT_NE(view->wait_reason.find("cold is new to who.mail.example and is being warmed up"),
              std::string::npos)
        << view->wait_reason;
    EXPECT_GT(view->wait_until, start + 59min);
    EXPECT_LE(view->wait_until, start + 61min);
    rig.run_until(start + 24h * 3);
    rig.expect_each_taken_once(100);
}

TEST(SchedulerSources, AWarmUpKeepsToItsDaysThroughCrashes) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
        SeededRandom random(seed);
        Rig rig({source("192.0.2.1", "cold", true), source("192.0.2.2", "warm")});
        std::size_t handed = 0;
        std::map<WorkKey, int> left;
        rig.put_off = [&](const Work& w, const std::string&) {
            return left.try_emplace(w.key, random.below(3)).first->second-- > 0;
        };
        for (int step = 0; step < 24 * 4; ++step) {
            auto const n = static_cast<unsigned>(random.below(40));
            rig.send(n);
            handed += n;
            rig.run_until(start + (step + 1) * 1h);
            if (random.below(5) == 0) rig.die();
            if (random.below(5) == 0) rig.restart();
        }
        rig.run_until(rig.now + 24h);
        rig.expect_each_taken_once(handed);
        std::map<WorkKey, std::set<std::string>> from;
        std::vector<Time> cold;
        for (auto const& one : rig.tries) {
            from[one.key].insert(one.source);
            if (one.source == "cold") cold.push_back(one.at);
        }
        for (auto const& [key, names] : from)
            EXPECT_EQ(names.size(), 1U) << "seed " << seed;
        EXPECT_LE(std::ranges::count_if(cold, [](Time t) { return t < start + 24h; }), 40);
        EXPECT_LE(std::ranges::count_if(cold, [](Time t) { return t < start + 48h; }), 40 + 80);
        EXPECT_LE(std::ranges::count_if(cold, [](Time t) { return t < start + 72h; }),
                  40 + 80 + 160);
        EXPECT_GT(cold.size(), 40U);
    }
}

TEST(SchedulerSources, NothingIsSentOnAPromiseThatIsNotDurable) {
    Rig rig({source("192.0.2.1", "cold", true)});
    rig.notes_fail = true;
    rig.send(20);
    for (int i = 0; i < 20; ++i) {
        rig.now += 1s;
        rig.settle();
    }
    EXPECT_TRUE(rig.tries.empty());
    rig.notes_fail = false;
    rig.run_until(rig.now + 10s);
    EXPECT_EQ(rig.tries.size(), 5U);
}

TEST(SchedulerSources, AHistoryEndsTheWarmUpAtOnce) {
    Rig rig({source("192.0.2.1", "cold", true)});
    rig.send(500);
    rig.run_until(start + 30min);
    EXPECT_EQ(rig.tries.size(), 5U);
    rig.scheduler->set_warm({{"cold", rig.now}}, rig.now);
    rig.run_until(start + 40min);
    rig.expect_each_taken_once(500);
}

TEST(SchedulerSources, ANewSendersDomainIsWarmedUpByItself) {
    auto settings = source("192.0.2.1", "a");
    settings.warm_up_domains = {"shop.example"};
    Rig rig({settings});
    rig.send(100);
    auto other = rig.mail("mail.example");
    other.sender_domain = "old.example";
    rig.arrive(other);
    rig.run_until(start + 30min);
    EXPECT_EQ(rig.tries.size(), 6U);
    auto const view = rig.scheduler->destination("mail.example", rig.now);
    EXPECT_NE(view->wait_reason.find("shop.example from a is new to"), std::string::npos)
        << view->wait_reason;
}

TEST(SchedulerSources, NotesAreWrittenOnlyWhenSomethingChanged) {
    Rig rig(three());
    EXPECT_TRUE(rig.scheduler->unsaved_rations().empty());
    rig.send(30);
    rig.run_until(start + 1min);
    EXPECT_TRUE(rig.scheduler->unsaved_rations().empty());
    Rig warm({source("192.0.2.1", "cold", true)});
    warm.send(3);
    warm.run_until(start + 1min);
    warm.save();
    EXPECT_TRUE(warm.scheduler->unsaved_rations().empty());
    warm.restart();
    warm.run_until(start + 10min);
    EXPECT_TRUE(warm.scheduler->unsaved_rations().empty());
}

TEST(SchedulerSources, ASmallWindowLosesNothingThatWasDiverted) {
    Rig rig({source("192.0.2.1", "cold", true),
             source("192.0.2.2", "warm"),
             source("192.0.2.3", "other")});
    rig.limits.window = 100;
    rig.boot();
    std::size_t handed = 0;
    std::map<WorkKey, int> left;
    rig.put_off = [&](const Work& w, const std::string&) {
        return left.try_emplace(w.key, w.key.message.value % 3).first->second-- > 0;
    };
    rig.refuse = [&](const std::string& from) {
        return from == "warm" && rig.now < start + 3h ? Blame::reputation : Blame::none;
    };
    for (int i = 0; i < 30; ++i) {
        for (int d = 0; d < 5; ++d)
            rig.send(20, "d" + std::to_string(d) + ".example");
        handed += 100;
        if (i == 10) {
            rig.orders = orders_of(OrderVerb::drain, "source:other");
            rig.scheduler->set_orders(rig.orders, rig.now);
        }
        if (i == 15) rig.orders = orders_of(OrderVerb::pause, "source:warm");
        if (i == 15) rig.scheduler->set_orders(rig.orders, rig.now);
        if (i == 20) rig.orders = {};
        if (i == 20) rig.scheduler->set_orders({}, rig.now);
        rig.run_until(rig.now + 10min);
        if (i % 7 == 6) rig.die();
    }
    rig.run_until(rig.now + 24h * 5);
    rig.expect_each_taken_once(handed);
    EXPECT_EQ(rig.disk.size(), 0U);
}

}  // namespace
}  // namespace millrace::relay
