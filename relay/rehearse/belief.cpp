#include "relay/rehearse/belief.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <numbers>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// A measured duration: network and receiver of another hour are others.
constexpr double pace_spread = 0.06;
/// Of a receiver that nothing was ever sent to.
constexpr double unknown_message = 0.2;
constexpr double unknown_spread = 0.7;
/// So much a limit is thought to wander: in a day, and at most.
constexpr double wander_day = 0.04;
constexpr double wander_most = 0.3;
/// Without a refusal there may still be a limit just above; so many receivers are like that.
constexpr double limit_above = 0.05;
/// What the scheduler keeps of a rate that it knows.
constexpr double just_under = 0.97;

/// Even over the orders of magnitude.
double between(Random& random, double low, double high) {
    return low * std::pow(high / low, random.unit());
}

double waiting(Random& random) {
    return -std::log(1 - random.unit());
}

}  // namespace

double normal(Random& random) {
    auto const radius = std::sqrt(-2 * std::log(1 - random.unit()));
    return radius * std::cos(2 * std::numbers::pi * random.unit());
}

double about(Random& random, double spread) {
    return std::exp(spread * normal(random));
}

Belief::Belief(const std::string& source,
               const std::string& provider,
               const std::string& note,
               const Ceilings& ceilings,
               Time now)
    : now_(now), share_(source, provider, ceilings, now) {
    if (!note.empty()) share_.restore(note, now);
    known_ = share_.message_takes() > 0 || share_.connections().learned().good > 0 ||
             share_.messages().known();
}

double Belief::drift(Time since, Random& random) const {
    auto const days = std::max(0.0, seconds(now_ - since)) / 86'400;
    return about(random, std::min(wander_most, wander_day * std::sqrt(days)));
}

void Belief::draw_connections(HiddenLimits& limits, Random& random) const {
    auto const& c = share_.connections().learned();
    if (c.bad > 0) {
        auto const low = std::max(1U, std::min(c.good, c.bad - 1));
        auto const most = static_cast<double>(low + random.below(c.bad - low));
        auto const moved = std::round(most * drift(c.since, random));
        limits.connections = static_cast<unsigned>(std::clamp(moved, 1.0, 10'000.0));
        return;
    }
    if (c.good > 0) {
        if (random.unit() < limit_above) {
            limits.connections = static_cast<unsigned>(c.good * (1 + waiting(random)));
        }
        return;
    }
    if (random.unit() < 0.5) {
        limits.connections = static_cast<unsigned>(between(random, 2, 21));
    }
}

void Belief::draw_rate(HiddenLimits& limits, Random& random) const {
    auto const& r = share_.messages().learned();
    auto& rate = limits.messages_per_second;
    if (r.pace > 0) {
        auto const low = r.good > 0 ? std::max(r.good, 0.9 * r.pace) : 0.7 * r.pace;
        auto const high = r.bad > low ? std::min(r.bad, 4 * low) : (r.settled ? 1.1 : 2) * low;
        rate = between(random, low, high) * drift(r.since, random);
    } else if (known_) {
        auto const sure = share_.minute_most() / 60;
        if (sure <= 0 || random.unit() < limit_above) {
            rate = sure > 0 ? sure * (1 + waiting(random)) : between(random, 0.5, 100);
        }
    } else if (random.unit() < 0.4) {
        rate = between(random, 0.5, 100);
    }
    if (rate > 0) limits.burst = between(random, 1, std::max(2.0, 10 * rate));
}

/// Whoever shut the door does not say for how long; often it is open at the next knock.
Time Belief::opening(const Block::Learned& block, Random& random) const {
    if (block.times == 0) return {};
    if (random.unit() < 0.5) return std::max(now_, block.until);
    return std::max(now_, block.until) + of_seconds(seconds(block.length) * waiting(random));
}

Belief::Draw Belief::draw(Random& random) const {
    Draw d;
    auto const takes = share_.message_takes();
    auto& limits = d.limits;
    // What is measured is the mean, what is modelled the median.
    auto const skew = std::exp(limits.message_spread * limits.message_spread / 2);
    limits.message = of_seconds(takes > 0 ? takes / skew * about(random, pace_spread)
                                          : unknown_message * about(random, unknown_spread));
    limits.reply = of_seconds(std::clamp(seconds(limits.message) / 4, 0.005, 0.2));
    draw_connections(limits, random);
    draw_rate(limits, random);
    limits.messages_per_connection = share_.uses().learned().limit;
    d.opens = opening(share_.block().learned(), random);
    if (d.opens != Time{}) limits.block = share_.block().learned().cause;
    for (auto const& [domain, hold] : share_.holds()) {
        if (auto const at = opening(hold.learned(), random); at != Time{}) {
            d.senders_open.emplace_back(domain, at);
        }
    }
    // One model limits all senders alike; the tightest that was met stands for them.
    for (auto const& [domain, knob] : share_.senders()) {
        auto const& l = knob.learned();
        if (l.pace <= 0) continue;
        auto const rate = l.pace / just_under * about(random, pace_spread) * drift(l.since, random);
        auto& least = limits.sender_domain_per_second;
        least = least > 0 ? std::min(least, rate) : rate;
    }
    return d;
}

HiddenLimits Belief::likely() const {
    HiddenLimits limits;
    auto const skew = std::exp(limits.message_spread * limits.message_spread / 2);
    if (auto const takes = share_.message_takes(); takes > 0) {
        limits.message = of_seconds(takes / skew);
    }
    limits.reply = of_seconds(std::clamp(seconds(limits.message) / 4, 0.005, 0.2));
    if (auto const& c = share_.connections().learned(); c.bad > 0) {
        limits.connections = std::max(1U, c.bad - 1);
    }
    if (auto const pace = share_.messages().learned().pace; pace > 0) {
        limits.messages_per_second = pace / just_under;
        limits.burst = std::max(1.0, 2 * pace);
    }
    limits.messages_per_connection = share_.uses().learned().limit;
    return limits;
}

std::string Belief::words() const {
    auto const learned = [&](Time since) {
        return since == Time{} ? std::string()
                               : fmt::format(", learned {} ago", to_human(now_ - since));
    };
    auto const& block = share_.block().learned();
    if (block.times > 0) {
        return fmt::format("{} ({}), next attempt {}; nobody knows when it opens",
                           block.cause == Blame::receiver_ill ? "put off" : "blocked",
                           to_string(block.cause),
                           block.until > now_ ? "in " + to_human(block.until - now_) : "now");
    }
    auto const& rate = share_.messages().learned();
    if (rate.pace > 0) {
        return fmt::format("{:.3g} messages a second{}", rate.pace, learned(rate.since));
    }
    auto const& connections = share_.connections().learned();
    if (connections.bad > 0) {
        return fmt::format("{} connections{}", connections.bad - 1, learned(connections.since));
    }
    if (!known_) return "nothing sent there yet: a broad guess";
    return "no limit met so far";
}

}  // namespace millrace::relay
