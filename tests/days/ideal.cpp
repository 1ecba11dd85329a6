#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <utility>

#include "tests/days/world.hpp"

namespace millrace::days {
namespace {

using namespace std::chrono_literals;

/// In steps of so many seconds; mail and limits change at their beginnings.
constexpr double step = 2;

/// Follows a limit down at once, and up as slowly as design §5 has it: a rate by a fifth an hour;
/// connections one by one, an hour after the last one, and where that was refused, after two, four
/// … hours.
class Follower {
  public:
    double rate(double limit) {
        at_ = at_ <= 0 || limit <= at_ ? limit : std::min(limit, at_ * std::pow(1.2, step / 3600));
        return at_;
    }
    double connections(double limit, double now) {
        if (at_ <= 0 || limit < at_) {
            at_ = limit;
            tried(now, 3600);
        } else if (now >= next_) {
            if (limit > at_) {
                at_ += 1;
                tried(now, 3600);
            } else {
                tried(now, std::min(2 * wait_, 86'400.0));
            }
        }
        return at_;
    }

  private:
    void tried(double now, double wait) { wait_ = wait, next_ = now + wait; }

    double at_ = 0, wait_ = 0, next_ = 0;
};

/// Mail for a receiver that greylists: each message is tried twice, the second time when the wait
/// is over, and in order of their times – what was put off comes behind what has waited longer.
class Strangers {
  public:
    void arrive(double at, double count) { waiting_.emplace(at, Some{count, false}); }
    /// How many pass at `now`, with so many attempts and so much room for messages.
    double pass(double now, double wait, double attempts, double room) {
        double through = 0;
        while (!waiting_.empty() && waiting_.begin()->first <= now) {
            auto const first = waiting_.begin();
            auto& [count, known] = first->second;
            auto const n = std::min({count, attempts, known ? room : count});
            attempts -= n;
            if (known) {
                through += n;
                room -= n;
            } else if (n > 0) {
                waiting_.emplace(now + wait, Some{n, true});
            }
            used_ += n;
            if ((count -= n) > 1e-9) break;
            waiting_.erase(first);
        }
        return through;
    }
    /// Attempts since the last call.
    double used() { return std::exchange(used_, 0); }

  private:
    struct Some {
        double count;
        bool known;
    };
    std::multimap<double, Some> waiting_;
    double used_ = 0;
};

}  // namespace

std::vector<double> ideal(const World& world, std::size_t receiver) {
    auto const& setup = world.setup;
    auto limits = setup.receivers[receiver].second;
    auto const steps = static_cast<std::size_t>(seconds(world.length) / step);
    auto const& ceiling = setup.limits.per_site;

    std::map<std::string, double> waiting, domain_level;
    double level = limits.burst, through = 0, in_window = 0;
    double configured_level = 0;
    std::deque<std::pair<double, double>> taken;  // sliding window: when, how many
    Follower rate, connections;
    double shut_since = -1, closed_until = 0;
    std::string closed_domain;
    Strangers strangers;
    auto mail = setup.mail.begin();
    auto change = setup.changes.begin();
    std::map<std::string, std::size_t> receivers;
    for (auto const& place : setup.places)
        receivers[place.destination] = place.receiver;

    std::vector<double> by_minute;
    for (std::size_t i = 0; i < steps; ++i) {
        auto const t = static_cast<double>(i) * step;
        auto const now =
            setup.begin + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(t));
        for (; mail != setup.mail.end() && mail->at <= now; ++mail) {
            if (receivers.at(mail->stream.destination) != receiver) continue;
            auto const count = static_cast<double>(mail->count);
            if (limits.greylist > Duration::zero()) {
                strangers.arrive(t, count);
            } else {
                waiting[mail->stream.sender_domain] += count;
            }
        }
        for (; change != setup.changes.end() && change->at <= now; ++change) {
            if (change->receiver != receiver) continue;
            auto const before = std::exchange(limits, change->limits);
            if (limits.block != Blame::none && before.block == Blame::none) shut_since = t;
            if (limits.block == Blame::none && before.block != Blame::none) {
                // The first knock after the end.
                auto const first = before.block == Blame::blocklist ? 4.0 : 1.0;
                auto wait = first * 3600, knock = shut_since;
                closed_domain = before.blocked_domain;
                while (knock < t)
                    knock += wait, wait *= 2;
                closed_until = knock;
            }
        }
        auto room = 1e9, attempts = 1e9;
        if (limits.messages_per_second > 0) {
            level = std::min(std::max(limits.burst, 1.0),
                             level + step * rate.rate(limits.messages_per_second));
            room = std::min(room, level);
        }
        if (limits.connections > 0 || ceiling.connections > 0) {
            auto n = static_cast<double>(ceiling.connections);
            if (limits.connections > 0)
                n = std::min(n, connections.connections(limits.connections, t));
            // The mean of what takes e^(spread·z).
            auto uses = std::max(1U, ceiling.messages_per_connection);
            if (limits.messages_per_connection > 0)
                uses = std::min(uses, limits.messages_per_connection);
            auto const mean = seconds(limits.message) *
                                  std::exp(limits.message_spread * limits.message_spread / 2) +
                              (2 * seconds(limits.reply) + seconds(limits.sees_end_after)) / uses;
            n = std::min(n,
                         static_cast<double>(setup.limits.connections_total) /
                             static_cast<double>(setup.receivers.size()));
            room = std::min(room, n * step / mean);
            if (ceiling.connections_per_second > 0) {
                attempts = ceiling.connections_per_second * uses * step;
            }
        }
        if (ceiling.messages_per_second > 0) {
            configured_level = std::min(std::max(1.0, ceiling.messages_per_second),
                                        configured_level + step * ceiling.messages_per_second);
            attempts = std::min(attempts, configured_level);
        }
        if (limits.messages_per_window > 0) {
            auto const w = seconds(limits.window);
            if (limits.sliding) {
                while (!taken.empty() && t - taken.front().first >= w) {
                    in_window -= taken.front().second;
                    taken.pop_front();
                }
            } else if (std::fmod(t, w) < step / 2) {
                in_window = 0;
            }
            room = std::min(room, limits.messages_per_window - in_window);
        }
        room = std::min(room, attempts);
        bool const shut = limits.down ||
                          (limits.block != Blame::none && limits.blocked_domain.empty()) ||
                          (t < closed_until && closed_domain.empty());
        double now_through = strangers.pass(t, seconds(limits.greylist), attempts, room);
        configured_level -= strangers.used() - now_through;
        for (auto& [domain, count] : waiting) {
            auto most = std::max(0.0, room);
            if (limits.sender_domain_per_second > 0) {
                auto [at, fresh] = domain_level.try_emplace(domain, limits.sender_domain_burst);
                at->second = std::min(limits.sender_domain_burst + 1,
                                      at->second + step * limits.sender_domain_per_second);
                most = std::min(most, at->second);
            }
            bool const held = (limits.block != Blame::none && limits.blocked_domain == domain) ||
                              (t < closed_until && closed_domain == domain);
            if (shut || held) continue;
            auto const n = std::min(most, count);
            count -= n;
            room -= n;
            now_through += n;
            if (limits.sender_domain_per_second > 0) domain_level[domain] -= n;
        }
        level -= now_through;
        configured_level -= now_through;
        in_window += now_through;
        if (limits.sliding && now_through > 0) taken.emplace_back(t, now_through);
        through += now_through;
        if (std::fmod(t + step, 60) < step / 2) by_minute.push_back(through);
    }
    return by_minute;
}

}  // namespace millrace::days
