#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/schedule/disk.hpp"

namespace millrace::relay {

constexpr Time world_start{std::chrono::hours(24 * 365)};

/// A work of some sender's; what a test does not say is alike for all.
struct WorkOf {
    std::uint64_t message = 1;
    std::uint16_t index = 0;
    std::string destination = "a.example";
    Time due = world_start;
    Class klass = Class::transactional;
    std::string account = "shop";
    std::string sender_domain = "shop.example";

    Work make() const {
        Work w;
        w.key = {MessageId{message}, index};
        w.destination = destination;
        w.due = due;
        w.klass = klass;
        w.account = account;
        w.sender_domain = sender_domain;
        w.recipient = "r@" + destination;
        return w;
    }
};

/// Drives a scheduler as the dispatcher does, against receivers that are functions: connections
/// that take time to open, messages that take time, refusals, silence, death. Virtual time, one
/// thread.
class World {
  public:
    struct Sent {
        Work work;
        std::string site;
        Time at{};
    };

    explicit World(ScheduleLimits limits) : scheduler(std::move(limits)) {}
    World(const World&) = delete;

    Scheduler scheduler;
    Disk disk;
    Time now = world_start;

    // ---- the receivers; a site is called like its destination
    std::function<std::string(const std::string& site)> provider_of = [](auto& s) {
        return s;
    };
    std::function<Duration(const std::string& site)> opening = [](auto&) {
        return std::chrono::milliseconds(10);
    };
    std::function<Duration(const std::string& site)> message = [](auto&) {
        return std::chrono::milliseconds(20);
    };
    std::function<bool(const std::string& site)> dead = [](auto&) {
        return false;
    };
    /// Whether a connection is refused; `open`: those of the provider that stand already.
    std::function<Blame(const std::string& site, unsigned open)> door = [](auto&, unsigned) {
        return Blame::none;
    };
    /// Whether a message is refused; asked when it begins.
    std::function<Typed(const std::string& site, const Pick&, unsigned use, Time)> judge =
        [](auto&, const Pick&, unsigned, Time) {
            return Typed{};
        };

    // ---- what came of it
    std::vector<Sent> sent;
    unsigned refused_openings = 0, refused_messages = 0, opened = 0, left = 0, unreached = 0;
    std::map<std::string, unsigned> most_open;  ///< by provider
    std::map<std::string, Time> last_refused;   ///< by provider

    void arrive(const Work& work) {
        disk.put(work);
        scheduler.arrived({&work, 1}, nullptr, now);
    }
    /// It was there before the start, on disk.
    void waits_on_disk(const Work& work) { disk.put(work); }
    void start_with_disk() {
        std::map<std::string, Time> first;
        for (auto const& [key, work] : disk.all()) {
            auto const [at, fresh] = first.try_emplace(stream_name(work), work.due);
            if (!fresh) at->second = std::min(at->second, work.due);
        }
        for (auto const& [stream, due] : first)
            scheduler.noticed(stream, due);
    }
    void at(Time time, std::function<void()> what) {
        events_.push({time, ++sequence_, std::move(what)});
    }

    /// Until `done`, or nothing happens any more, or `deadline`. True: done.
    bool run(Time deadline, const std::function<bool()>& done) {
        for (;;) {
            act(scheduler.plan(now));
            if (done()) return true;
            auto next = again_ ? now : wake_at_;
            again_ = false;
            if (!events_.empty()) next = std::min(next, events_.top().at);
            if (next == never || next > deadline) return false;
            now = std::max(now, next);
            while (!events_.empty() && events_.top().at <= now) {
                auto const what = events_.top().what;
                events_.pop();
                what();
            }
        }
    }
    bool run(Time deadline) {
        return run(deadline, [this] { return disk.size() == 0; });
    }
    unsigned open(const std::string& provider) const {
        auto const at = open_.find(provider);
        return at == open_.end() ? 0 : at->second;
    }
    std::size_t idle() const {
        std::size_t n = 0;
        for (auto const& [lane, waiting] : idle_)
            n += waiting.size();
        return n;
    }

  private:
    struct Connection {
        std::string lane;
        unsigned used = 0;
    };
    using Handle = std::shared_ptr<Connection>;
    struct Event {
        Time at;
        std::uint64_t sequence;
        std::function<void()> what;
        bool operator<(const Event& other) const {
            return std::pair(other.at, other.sequence) < std::pair(at, sequence);
        }
    };

    void act(const Plan& plan) {
        wake_at_ = plan.wake_at;
        again_ = !plan.resolve.empty() || !plan.refill.empty();
        for (auto const& d : plan.resolve) {
            scheduler.routed(d, d, provider_of(d), now + std::chrono::hours(1), now);
        }
        for (auto const& r : plan.refill) {
            scheduler.refilled(r.stream, disk.due(r.stream, r.after, r.max), r.max, now);
        }
        for (auto const& lane : plan.connect) {
            at(now + opening(lane), [this, lane] { opened_or_not(lane); });
        }
        for (auto const& lane : plan.dismiss) {
            auto& waiting = idle_[lane];
            if (waiting.empty()) continue;
            waiting.pop_front();
            scheduler.idle_ended(lane);
            end(lane);
        }
        for (auto const& lane : plan.wake) {
            auto& waiting = idle_.at(lane);
            auto const one = waiting.back();
            waiting.pop_back();
            at(now, [this, one] { ask(one); });
        }
    }

    void opened_or_not(const std::string& lane) {
        auto const provider = provider_of(lane);
        if (dead(lane)) {
            ++unreached;
            auto picks =
                scheduler.stands(lane, now) ? std::vector<Pick>{} : scheduler.take_all(lane);
            scheduler.unreachable(lane, "no answer", now);
            for (auto& pick : picks)
                put_off(pick);
            return;
        }
        if (auto const blame = door(lane, open_[provider]); blame != Blame::none) {
            ++refused_openings;
            last_refused[provider] = now;
            Answer answer;
            answer.typed = Typed::of(blame);
            answer.said = "421 too many connections";
            answer.began = now;
            scheduler.not_greeted(lane, answer, now);
            return;
        }
        ++opened;
        most_open[provider] = std::max(most_open[provider], ++open_[provider]);
        scheduler.greeted(lane, now);
        ask(std::make_shared<Connection>(Connection{lane}));
    }

    void ask(const Handle& connection) {
        auto& lane = connection->lane;
        auto next = scheduler.next(lane, 100, now);
        if (next.leave) {
            ++left;
            end(lane);
            return;
        }
        if (!next.pick) {
            idle_[lane].push_back(connection);
            return;
        }
        ++connection->used;
        auto const typed = judge(lane, *next.pick, connection->used, now);
        auto const began = now;
        at(now + message(lane), [this, connection, pick = *next.pick, typed, began] {
            told(connection, pick, typed, began);
        });
    }

    void told(const Handle& connection, const Pick& pick, const Typed& typed, Time began) {
        auto const& lane = connection->lane;
        Answer answer;
        answer.typed = typed;
        answer.began = began;
        answer.use = connection->used;
        answer.sender_domain = parse_stream(pick.stream).sender_domain;
        answer.bulk = parse_stream(pick.stream).klass == Class::bulk;
        scheduler.ended(pick, now);
        if (typed.blame == Blame::none) {
            scheduler.passed(lane, answer, now);
            for (auto const& work : pick.works) {
                sent.push_back({work, lane, now});
                disk.erase(work.key);
                scheduler.finished(work.key);
            }
        } else {
            ++refused_messages;
            last_refused[provider_of(lane)] = now;
            answer.said = "450 refused";
            scheduler.refused(lane, answer, now);
            scheduler.put_back(pick, now);
        }
        if (connection->used >= scheduler.messages_per_connection(lane)) {
            end(lane);
        } else {
            ask(connection);
        }
    }

    void put_off(const Pick& pick) {
        for (auto work : pick.works) {
            ++work.version;
            ++work.attempts;
            work.due = now + std::chrono::seconds(30);
            disk.put(work);
            scheduler.deferred(work);
        }
    }

    void end(const std::string& lane) {
        at(now + opening(lane) / 2, [this, lane] {
            --open_[provider_of(lane)];
            scheduler.connection_closed(lane, now);
        });
    }

    std::priority_queue<Event> events_;
    std::uint64_t sequence_ = 0;
    std::map<std::string, std::deque<Handle>> idle_;
    std::map<std::string, unsigned> open_;
    Time wake_at_ = never;
    bool again_ = false;
};

}  // namespace millrace::relay
