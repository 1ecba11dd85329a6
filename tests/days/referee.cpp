#include "tests/days/referee.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace millrace::days {
namespace {

using namespace std::chrono_literals;

constexpr double enough = 0.8;
constexpr Duration between_knocks = 30min;
/// Less than a minute's work behind is no statement.
constexpr double few = 60;

bool is_block(Blame blame) {
    return blame == Blame::reputation || blame == Blame::blocklist || blame == Blame::compliance;
}

}  // namespace

Referee::Referee(const World& world, Rehearsal& day)
    : world_(world),
      day_(day),
      watches_(world.parties.size()),
      tallies_(world.parties.size()),
      accepted_at_hour_(world.parties.size(), 0) {}

void Referee::violated(Time at, const std::string& what) {
    if (violations_.size() < 50) violations_.push_back(to_rfc3339(at).substr(8, 15) + " " + what);
}

bool Referee::Meter::take(double rate, double burst, Time now) {
    if (!born) level = burst, at = now, born = true;
    level = std::min(burst, level + rate * std::chrono::duration<double>(now - at).count());
    at = now;
    level -= 1;
    return level > -1e-6;
}

/// A crash takes along what was learned in the two seconds before it.
bool Referee::crashed_since(Time t, Time now) const {
    return std::ranges::any_of(world_.setup.restarts, [&](const RehearsalSetup::Restart& restart) {
        return restart.crash && restart.at >= t && restart.at <= t + 3s && restart.at <= now;
    });
}

void Referee::saw(const Contact& contact) {
    configured(contact);
    manners(contact);
}

void Referee::configured(const Contact& c) {
    auto const& limits = world_.setup.limits;
    auto const& site = limits.per_site;
    if (c.at_site > site.connections) {
        violated(c.at,
                 fmt::format(
                     "{} connections to {}, {} are allowed", c.at_site, c.site, site.connections));
    }
    if (c.in_total > limits.connections_total) {
        violated(
            c.at,
            fmt::format(
                "{} connections in total, {} are allowed", c.in_total, limits.connections_total));
    }
    if (!c.message) {
        ++tallies_[c.receiver].connections;
        if (site.connections_per_second > 0 &&
            !connections_[c.site].take(
                site.connections_per_second, std::max(1.0, site.connections_per_second), c.at)) {
            violated(c.at, "more connections a second to " + c.site + " than allowed");
        }
        return;
    }
    if (c.use > site.messages_per_connection) {
        violated(
            c.at,
            fmt::format(
                "message {} of a connection, {} are allowed", c.use, site.messages_per_connection));
    }
    if (site.messages_per_second > 0 &&
        !messages_[c.site].take(
            site.messages_per_second, std::max(1.0, site.messages_per_second), c.at)) {
        violated(c.at, "more messages a second to " + c.site + " than allowed");
    }
}

void Referee::manners(const Contact& c) {
    auto& watch = watches_[c.receiver];
    auto& tally = tallies_[c.receiver];
    auto const& limits = day_.receiver(c.receiver).limits();
    auto const hearing = limits.reply + 20ms;
    if (c.at <= world_.setup.begin + 1h)
        accepted_at_hour_[c.receiver] = day_.receiver(c.receiver).accepted();
    if (c.message) knocks(c, watch.doors[c.stream.sender_domain], hearing);
    knocks(c, watch.doors[""], hearing);
    if (c.message && !c.refusal.any()) {
        ++watch.by_site[c.site];
        auto& own = watch.doors[c.stream.sender_domain];
        own.first = {};
        watch.doors[""].first = {};
    }
    auto const meant = c.refusal.meant;
    if (c.refusal.any() && meant != Blame::greylist && meant != Blame::recipient) ++tally.refused;
    if (is_limit(meant)) {
        watch.refusals.push_back(c.at);
        while (c.at - watch.refusals.front() > 1min)
            watch.refusals.pop_front();
        auto const n = static_cast<unsigned>(watch.refusals.size());
        tally.most_in_a_minute = std::max(tally.most_in_a_minute, n);
        // The first time nobody can know how it counts, and much may be under way.
        if (n == 10 && ++watch.bursts > 1)
            violated(c.at,
                     fmt::format("{} refused for its limits ten times in a minute",
                                 limits.silent ? "silently" : c.refusal.text));
    }
    if (is_block(meant)) {
        bool const own = meant == Blame::compliance || !limits.blocked_domain.empty();
        auto& door = watch.doors[own ? c.stream.sender_domain : ""];
        if (door.first == Time{}) door.first = c.at;
        door.last = c.at;
        door.said = c.refusal.text;
    }
    // `try again in N seconds` holds for whom it was said to.
    if (meant == Blame::rate && limits.asks_for_rest) {
        auto const in = c.refusal.text.find(" in ");
        if (in == std::string::npos) return;
        auto& door = watch.doors[limits.sender_domain_per_second > 0 ? c.stream.sender_domain : ""];
        auto const until = c.at + std::chrono::seconds(std::stoul(c.refusal.text.substr(in + 4)));
        if (until > door.rest_until) {
            door.rest_until = until;
            door.last = c.at;
        }
    }
}

/// What was under way when the door was shut may still come.
void Referee::knocks(const Contact& c, Door& door, Duration hearing) {
    if (door.first != Time{} && c.at > door.first + hearing && c.at < door.last + between_knocks &&
        c.at > door.last + hearing && !crashed_since(door.last, c.at)) {
        violated(c.at,
                 fmt::format("{} {} after `{}`",
                             c.message ? "a message" : "a connection",
                             to_human(c.at - door.last),
                             door.said));
        door.first = c.at;
    }
    if (c.message && c.at < door.rest_until && c.at > door.last + hearing &&
        !crashed_since(door.last, c.at)) {
        violated(c.at,
                 fmt::format("a message {} before the end of a rest that was asked for",
                             to_human(door.rest_until - c.at)));
        door.rest_until = {};
    }
}

void Referee::judge() {
    auto const end = std::min(day_.now(), world_.setup.end);
    if (day_.spun()) violated(day_.now(), "the scheduler spins");
    std::vector<std::uint64_t> delivered(world_.parties.size(), 0);
    for (std::size_t i = 0; i < world_.setup.places.size(); ++i) {
        auto const at = world_.setup.places[i].receiver;
        tallies_[at].mail += day_.destinations()[i].mail;
        tallies_[at].delivered += day_.destinations()[i].delivered;
    }
    for (std::size_t i = 0; i < world_.parties.size(); ++i) {
        auto const& party = world_.parties[i];
        auto& tally = tallies_[i];
        tally.punished = day_.receiver(i).punished();
        if (tally.punished > 1)
            violated(end, fmt::format("r{} shut us out {} times", i, tally.punished));
        auto const best = ideal(world_, i);
        if (best.size() > 60) {
            tally.ideal = best.back() - best[59];
            tally.got = static_cast<double>(day_.receiver(i).accepted() - accepted_at_hour_[i]);
            // What was faster in the first hour than the ideal is not owed again.
            auto const all = static_cast<double>(day_.receiver(i).accepted());
            auto const whole = best.back();
            bool const through =
                static_cast<double>(tally.delivered) + few >= static_cast<double>(tally.mail);
            if (tally.got < enough * tally.ideal - few && all < enough * whole && !through) {
                violated(
                    end,
                    fmt::format(
                        "r{} ({}) got {:.0f} after the first hour, {:.0f} were possible ({:.2f})",
                        i,
                        party.kind,
                        tally.got,
                        tally.ideal,
                        tally.ratio()));
            }
        }
        if (party.sites.size() > 1) {
            auto& by_site = watches_[i].by_site;
            std::uint64_t least = ~std::uint64_t{0}, sum = 0;
            for (auto const& site : party.sites)
                least = std::min(least, by_site[site]), sum += by_site[site];
            auto const mean = static_cast<double>(sum) / static_cast<double>(party.sites.size());
            // Turns are of equal length, messages are not: so much is chance where they are few.
            auto const chance = 3 * std::sqrt(mean);
            if (mean >= 10 && static_cast<double>(least) < mean - std::max(0.5 * mean, chance)) {
                violated(end,
                         fmt::format("r{}: a site got {} messages, the mean of {} is {:.0f}",
                                     i,
                                     least,
                                     party.sites.size(),
                                     mean));
            }
        }
    }
}

}  // namespace millrace::days
