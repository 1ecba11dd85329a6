#include <deque>

#include <gtest/gtest.h>

#include "common/net/random.hpp"
#include "tests/unit/schedule/world.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start = world_start;

/// Goal: under random arrivals, outcomes, refusals of every kind, pauses, route and provider
/// changes, slow refills and operators, every work is handed out, never twice at once, never before
/// its due time, never in an old state, and within the limits. Method: a random driver over the
/// scheduler; refills are answered late, from an old reading of disk.
class Walk {
  public:
    explicit Walk(std::uint64_t seed)
        : random_(seed), limits_(make_limits()), scheduler_(limits_) {}

    void go() {
        for (int step = 0; step < 40'000; ++step) {
            draining_ = step > 8'000;
            if (draining_ && disk_.size() == 0) break;
            pass_time();
            if (!draining_ && random_.below(3) == 0) arrivals();
            plan();
            for (auto const& lane : std::vector<std::string>(open_.begin(), open_.end())) {
                connection(lane);
                if (testing::Test::HasFatalFailure()) return;
            }
            if (!flying_.empty() && random_.below(2) == 0) land();
            if (random_.below(10) == 0 && disk_.size() > 0) operator_changes_one();
            if (!draining_ && random_.below(300) == 0) {
                scheduler_.pause(
                    site(),
                    now_ + std::chrono::seconds(random_.below(random_.below(3) == 0 ? 180 : 20)),
                    "test");
            }
            ASSERT_LE(scheduler_.in_memory(), limits_.window + 200);
        }
        EXPECT_EQ(disk_.size(), 0U) << left();
        EXPECT_GT(delivered_, 2'000U);
    }

  private:
    ScheduleLimits make_limits() {
        ScheduleLimits l;
        l.per_site.connections = 4;
        l.window = 50 + random_.below(300);
        l.connections_total = 6;
        l.per_site.messages_per_second = random_.below(2) == 0 ? 0 : 20;
        return l;
    }

    void pass_time() {
        now_ += std::chrono::milliseconds(random_.below(draining_ ? 400 : 60));
        // Long waits are waited out.
        if (draining_ && flying_.empty() && answers_.empty() && random_.below(20) == 0 &&
            wake_at_ != never) {
            now_ = std::max(now_, wake_at_);
        }
    }
    std::string site() { return "s" + std::to_string(random_.below(4)); }
    std::string provider_of(const std::string& site) {
        // Sites turn out to be one provider, and not to be, while mail flows.
        if (random_.below(4) == 0) return "p";
        return site == "s0" || site == "s1" ? "p" : site;
    }

    void arrivals() {
        auto const n = 1 + random_.below(4);
        ++arrived_;
        std::vector<Work> works;
        for (std::uint16_t i = 0; i < n; ++i) {
            works.push_back(
                WorkOf{.message = arrived_,
                       .index = i,
                       .destination = "d" + std::to_string(random_.below(9)) + ".example",
                       .due = now_,
                       .klass = random_.below(3) == 0 ? Class::bulk : Class::transactional,
                       .account = "a" + std::to_string(random_.below(3)),
                       .sender_domain =
                           random_.below(5) == 0 ? "" : "x" + std::to_string(random_.below(2))}
                    .make());
            disk_.put(works.back());
        }
        scheduler_.arrived(works, nullptr, now_);
    }

    void plan() {
        auto plan = scheduler_.plan(now_);
        wake_at_ = plan.wake_at;
        for (auto const& d : plan.resolve) {
            auto const to = site();
            scheduler_.routed(
                d, to, provider_of(to), now_ + std::chrono::seconds(5 + random_.below(60)), now_);
        }
        for (auto const& r : plan.refill) {
            answers_.push_back({r.stream,
                                disk_.due(r.stream, r.after, r.max),
                                r.max,
                                now_ + std::chrono::milliseconds(random_.below(500))});
        }
        while (!answers_.empty() && answers_.front().at <= now_) {
            auto a = std::move(answers_.front());
            answers_.pop_front();
            if (random_.below(20) == 0) {
                scheduler_.refill_failed(a.stream, now_ + 1s);
            } else {
                scheduler_.refilled(a.stream, std::move(a.works), a.asked, now_);
            }
        }
        for (auto const& lane : plan.wake) {
            ASSERT_TRUE(idle_.contains(lane));
            idle_.erase(idle_.find(lane));
        }
        for (auto const& lane : plan.dismiss) {
            if (!idle_.contains(lane)) continue;
            scheduler_.idle_ended(lane);
            close_idle(lane);
        }
        for (auto const& lane : plan.connect)
            opening_.insert(lane);
        for (auto const& lane : std::set<std::string>(opening_.begin(), opening_.end())) {
            ASSERT_LE(opening_.count(lane) + open_.count(lane), limits_.per_site.connections);
        }
        ASSERT_LE(opening_.size() + open_.size(), limits_.connections_total);
        while (!opening_.empty()) {
            auto const lane = *opening_.begin();
            opening_.erase(opening_.begin());
            open_or_not(lane);
        }
    }

    void open_or_not(const std::string& lane) {
        auto const luck = draining_ ? 99 : random_.below(100);
        if (luck < 5) {
            auto picks =
                scheduler_.stands(lane, now_) ? std::vector<Pick>{} : scheduler_.take_all(lane);
            for (auto const& pick : picks)
                take_flight(pick);
            scheduler_.unreachable(lane, "no answer", now_);
            for (auto& pick : picks)
                settle(std::move(pick), true);
        } else if (luck < 8) {
            scheduler_.not_tried(lane, now_ + 5s, "ours", now_);
        } else if (luck < 11) {
            scheduler_.not_greeted(lane, answer(Blame::connections, 0), now_);
        } else if (luck < 12) {
            auto a = answer(Blame::none, 0);
            a.silent = true;
            scheduler_.not_greeted(lane, a, now_);
        } else {
            scheduler_.greeted(lane, now_);
            open_.insert(lane);
        }
    }

    /// A busy connection asks for its next message, or breaks, or is idle until woken.
    void connection(const std::string& lane) {
        if (!open_.contains(lane)) return;
        auto const busy = open_.count(lane) - idle_.count(lane);
        auto const sending = static_cast<std::size_t>(
            std::ranges::count_if(flying_, [&](auto const& pick) { return pick.lane == lane; }));
        if (busy <= sending) {
            if (idle_.contains(lane) && random_.below(20) == 0) {
                scheduler_.idle_ended(lane);
                close_idle(lane);
            }
            return;
        }
        if (random_.below(30) == 0) {
            close(lane);
            return;
        }
        auto next = scheduler_.next(lane, 1 + static_cast<unsigned>(random_.below(3)), now_);
        if (next.leave) {
            close(lane);
        } else if (!next.pick) {
            idle_.insert(lane);
        } else {
            take_flight(*next.pick);
            flying_.push_back(std::move(*next.pick));
        }
    }
    void close(const std::string& lane) {
        open_.erase(open_.find(lane));
        scheduler_.connection_closed(lane, now_);
    }
    void close_idle(const std::string& lane) {
        idle_.erase(idle_.find(lane));
        close(lane);
    }

    void take_flight(const Pick& pick) {
        for (auto const& w : pick.works) {
            ASSERT_LE(w.due, now_);
            ASSERT_TRUE(in_flight_.insert(w.key).second) << "handed out twice";
            ASSERT_TRUE(disk_.all().contains(w.key)) << "handed out after it was finished";
            ASSERT_EQ(disk_.all().at(w.key).version, w.version) << "handed out in an old state";
            ASSERT_EQ(stream_name(w), pick.stream);
        }
    }

    void land() {
        auto const which = static_cast<std::ptrdiff_t>(random_.below(flying_.size()));
        auto pick = std::move(flying_[static_cast<std::size_t>(which)]);
        flying_.erase(flying_.begin() + which);
        scheduler_.ended(pick, now_);
        auto const luck = draining_ ? 99 : random_.below(100);
        if (luck < 3) {
            // What is said of our pace is no attempt.
            static constexpr std::array<Blame, 3> limits{
                Blame::rate, Blame::messages_per_connection, Blame::connections};
            auto a = answer(limits[random_.below(3)], 1 + static_cast<unsigned>(random_.below(3)));
            if (random_.below(3) == 0) a.typed.axis = Axis::sender_domain;
            a.sender_domain = parse_stream(pick.stream).sender_domain;
            scheduler_.refused(pick.lane, a, now_);
            put_back(std::move(pick));
        } else if (luck < 10) {
            put_back(std::move(pick));
        } else {
            settle(std::move(pick), random_.below(4) == 0);
        }
    }
    void put_back(Pick pick) {
        for (auto const& w : pick.works)
            in_flight_.erase(w.key);
        scheduler_.put_back(std::move(pick), now_);
    }
    void settle(Pick pick, bool later) {
        for (auto& w : pick.works) {
            in_flight_.erase(w.key);
            if (later) {
                w.due = now_ + std::chrono::seconds(1 + random_.below(60));
                ++w.version;
                disk_.put(w);
                scheduler_.deferred(w);
            } else {
                disk_.erase(w.key);
                ++delivered_;
                scheduler_.finished(w.key);
            }
        }
        if (!later) {
            auto a = answer(Blame::none, 1);
            a.sender_domain = parse_stream(pick.stream).sender_domain;
            scheduler_.passed(pick.lane, a, now_);
        }
    }
    void operator_changes_one() {
        auto w =
            std::next(disk_.all().begin(), static_cast<std::ptrdiff_t>(random_.below(disk_.size())))
                ->second;
        if (!scheduler_.claim(w)) return;
        ASSERT_FALSE(in_flight_.contains(w.key));
        ++w.version;
        w.due = now_ + std::chrono::seconds(random_.below(5));
        disk_.put(w);
        scheduler_.deferred(w);
    }

    Answer answer(Blame blame, unsigned use) const {
        Answer a;
        a.typed = Typed::of(blame);
        a.began = now_ - 20ms;
        a.use = use;
        a.said = "4xx";
        return a;
    }
    std::string left() const {
        auto text = "work was forgotten: " + std::to_string(flying_.size()) + " transactions, " +
                    std::to_string(open_.size()) + " connections, " + std::to_string(idle_.size()) +
                    " idle\n";
        for (auto const& view : scheduler_.destinations(now_)) {
            text += view.destination + " at " + view.site + ": ready " +
                    std::to_string(view.ready) + ", in flight " + std::to_string(view.in_flight) +
                    ", waits for " + view.wait_reason + "\n";
        }
        return text;
    }

    struct Refilled {
        std::string stream;
        std::vector<Work> works;
        unsigned asked;
        Time at;
    };
    SeededRandom random_;
    ScheduleLimits limits_;
    Scheduler scheduler_;
    Disk disk_;
    std::deque<Refilled> answers_;
    std::set<WorkKey> in_flight_;
    std::vector<Pick> flying_;
    std::multiset<std::string> opening_, open_, idle_;
    Time now_ = start, wake_at_ = never;
    bool draining_ = false;
    std::uint64_t arrived_ = 0, delivered_ = 0;
};

class SchedulerRandomWalk : public testing::TestWithParam<std::uint64_t> {};

TEST_P(SchedulerRandomWalk, LosesNothingDoublesNothing) {
    Walk(GetParam()).go();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SchedulerRandomWalk, testing::Range<std::uint64_t>(1, 31));

}  // namespace
}  // namespace millrace::relay
