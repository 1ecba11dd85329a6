#include "tests/days/world.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <tuple>

namespace millrace::days {
namespace {

using namespace std::chrono_literals;

/// 2026-11-24 00:00 UTC: windows of an hour or a day begin with the day.
constexpr Time midnight{std::chrono::seconds(1'795'478'400)};

class Draw {
  public:
    explicit Draw(std::uint64_t seed) : random_(seed) {}
    double between(double low, double high) { return low + (high - low) * random_.unit(); }
    /// As likely between 1 and 2 as between 10 and 20.
    double scale(double low, double high) {
        return low * std::exp(std::log(high / low) * random_.unit());
    }
    unsigned whole(unsigned low, unsigned high) {
        return low + static_cast<unsigned>(random_.below(high - low + 1));
    }
    bool chance(double p) { return random_.unit() < p; }
    template <class T>
    const T& one(const std::vector<T>& of) {
        return of[random_.below(of.size())];
    }
    std::uint64_t seed() { return random_.next(); }

  private:
    SeededRandom random_;
};

const std::vector<std::string>& kinds() {
    static const std::vector<std::string> all{
        "rate",       "bucket",        "minute",      "hour",    "day",      "connections",
        "uses",       "silent",        "silent-uses", "domains", "greylist", "down",
        "reputation", "compliance",    "slower",      "faster",  "fewer",    "more",
        "provider",   "provider-rate", "free",        "both"};
    return all;
}

/// `pace`: messages a second that it is to take over the day.
HiddenLimits limits_of(const std::string& kind, double pace, Draw& d) {
    HiddenLimits l;
    l.reply = of_seconds(d.scale(0.005, 0.3));
    l.message = of_seconds(d.scale(0.03, 1));
    l.message_spread = d.between(0, 0.8);
    if (d.chance(0.3)) l.sees_end_after = of_seconds(d.between(0, 0.3));
    if (d.chance(0.5)) l.punish_after = 10;
    l.asks_for_rest = d.chance(0.25);
    auto const connections = [&](unsigned n) {
        // None takes longer than a minute over a message.
        n = std::min(n, std::max(1U, static_cast<unsigned>(60 * pace)));
        l.connections = n;
        l.message = of_seconds(n / pace);
    };
    if (kind == "rate" || kind == "slower" || kind == "faster" || kind == "provider-rate") {
        l.messages_per_second = pace;
    } else if (kind == "bucket") {
        l.messages_per_second = pace;
        l.burst = d.whole(2, 60);
    } else if (kind == "minute" || kind == "hour" || kind == "day") {
        l.window = kind == "minute" ? Duration(1min)
                   : kind == "hour" ? Duration(1h)
                                    : Duration(24h);
        l.messages_per_window = std::max(1U, static_cast<unsigned>(pace * seconds(l.window)));
        l.sliding = d.chance(0.5);
    } else if (kind == "connections" || kind == "fewer" || kind == "more") {
        connections(d.whole(kind == "connections" ? 1 : 4, 15));
    } else if (kind == "silent") {
        l.silent = true;
        connections(d.whole(1, 12));
    } else if (kind == "uses" || kind == "silent-uses") {
        l.messages_per_connection = d.whole(1, 40);
        l.silent = kind == "silent-uses";
        connections(d.whole(2, 8));
    } else if (kind == "domains") {
        l.sender_domain_per_second = pace / 3;
        l.sender_domain_burst = d.whole(1, 10);
    } else if (kind == "greylist") {
        l.greylist = of_seconds(d.scale(60, 1800));
        connections(d.whole(2, 10));
    } else if (kind == "provider") {
        connections(5);
    } else if (kind == "both") {
        connections(d.whole(2, 10));
        l.messages_per_second = pace * d.between(0.5, 1.5);
        l.burst = d.whole(1, 20);
        if (d.chance(0.5)) l.messages_per_connection = d.whole(3, 40);
    } else {
        l.connections = d.chance(0.5) ? d.whole(3, 20) : 0;
        l.messages_per_second = pace;
        l.burst = d.whole(1, 10);
    }
    return l;
}

/// What happens to it during the day.
void changes_of(const std::string& kind, std::size_t receiver, Draw& d, World& world) {
    auto const& now = world.setup.receivers[receiver].second;
    auto const begin = world.setup.begin;
    auto const at = [&](double part) {
        return begin + of_seconds(seconds(world.length) * part);
    };
    auto& changes = world.setup.changes;
    auto const shut_for = [&](Duration span, auto&& change) {
        auto other = now;
        change(other);
        auto const from = at(d.between(0.1, 0.5));
        changes.push_back({from, receiver, other});
        changes.push_back({from + span, receiver, now});
    };
    if (kind == "down") {
        for (unsigned n = d.whole(1, 3); n > 0; --n) {
            auto other = now;
            other.down = true;
            auto const from = at(0.25 * n + d.between(-0.1, 0.1));
            changes.push_back({from, receiver, other});
            changes.push_back(
                {from + of_seconds(d.scale(20, seconds(world.length) / 10)), receiver, now});
        }
    } else if (kind == "reputation") {
        shut_for(of_seconds(d.scale(600, 6 * 3600)), [&](HiddenLimits& l) {
            l.block = d.chance(0.7) ? Blame::reputation : Blame::blocklist;
        });
    } else if (kind == "compliance") {
        shut_for(of_seconds(d.scale(1800, 6 * 3600)), [&](HiddenLimits& l) {
            l.block = Blame::compliance;
            l.blocked_domain = world.parties[receiver].domains.front();
        });
    } else if (kind == "slower" || kind == "faster") {
        auto other = now;
        other.messages_per_second *= kind == "slower" ? d.between(0.25, 0.7) : d.between(1.3, 3);
        changes.push_back({at(d.between(0.2, 0.6)), receiver, other});
    } else if (kind == "fewer" || kind == "more") {
        auto other = now;
        auto const n = now.connections;
        other.connections = kind == "fewer" ? std::max(1U, n / d.whole(2, 4)) : n + d.whole(1, 6);
        changes.push_back({at(d.between(0.2, 0.6)), receiver, other});
    }
    std::ranges::sort(changes, {}, &RehearsalSetup::Change::at);
}

void places_of(const std::string& kind, std::size_t receiver, Draw& d, World& world) {
    bool const hosted = kind.starts_with("provider");
    auto const sites = hosted ? d.whole(40, 200) : 1;
    for (unsigned i = 0; i < sites; ++i) {
        RehearsalSetup::Place place;
        place.destination =
            fmt::format("{}.r{}.example", hosted ? fmt::format("c{}", i) : "mail", receiver);
        place.facts.site = "mx." + place.destination;
        place.facts.hosts = {place.facts.site};
        // Four machines stand behind all the names; each name shows two of them.
        for (unsigned n = 0; n < (hosted ? 2U : 1U); ++n) {
            place.facts.addresses.push_back(boost::asio::ip::make_address(
                fmt::format("192.0.{}.{}", 2 + receiver, 10 + (i + n) % (hosted ? 4 : 1))));
        }
        place.receiver = receiver;
        world.parties[receiver].sites.insert(place.facts.site);
        world.setup.places.push_back(std::move(place));
    }
}

void mail_of(std::size_t receiver, double pace, Draw& d, World& world) {
    auto& party = world.parties[receiver];
    std::vector<std::string> to;
    for (auto const& place : world.setup.places) {
        if (place.receiver == receiver) to.push_back(place.destination);
    }
    auto const total = static_cast<std::uint64_t>(1.4 * pace * seconds(world.length)) + 20;
    bool const all_at_once = d.chance(0.5);
    struct Sender {
        StreamKey key;
        double part;
    };
    std::vector<Sender> senders;
    for (auto const& domain : party.domains) {
        StreamKey key;
        key.sender_domain = domain;
        key.account = d.chance(0.5) ? "local" : "a" + domain;
        key.klass = d.chance(0.6) ? Class::bulk : Class::transactional;
        senders.push_back({key, 1.0 / static_cast<double>(party.domains.size())});
    }
    for (auto const& sender : senders) {
        for (auto const& destination : to) {
            auto key = sender.key;
            key.destination = destination;
            auto left = static_cast<std::uint64_t>(std::ceil(
                static_cast<double>(total) * sender.part / static_cast<double>(to.size())));
            party.mail += left;
            auto const first = all_at_once ? left : left / 2;
            world.setup.mail.push_back({world.setup.begin, key, first, true});
            left -= first;
            while (left > 0) {
                auto const some = std::min<std::uint64_t>(left, 1 + left / d.whole(2, 20));
                world.setup.mail.push_back(
                    {world.setup.begin + of_seconds(seconds(world.length) * d.between(0, 0.5)),
                     key,
                     some,
                     d.chance(0.3)});
                left -= some;
            }
        }
    }
}

void configured(Draw& d, World& world) {
    auto& limits = world.setup.limits;
    if (d.chance(0.25)) limits.per_site.connections = d.whole(1, 10);
    if (d.chance(0.15)) limits.per_site.messages_per_second = d.scale(0.05, 2);
    if (d.chance(0.15)) limits.per_site.connections_per_second = d.scale(0.2, 3);
    if (d.chance(0.2)) limits.per_site.messages_per_connection = d.whole(1, 30);
    if (d.chance(0.1)) limits.connections_total = d.whole(10, 40);
    if (d.chance(0.15)) limits.window = d.whole(1'000, 3'000);
}

}  // namespace

World draw(std::uint64_t seed, const std::string& kind) {
    Draw d(seed * 7919 + 17);
    World world;
    auto const receivers = kind.empty() ? d.whole(1, 3) : 1;
    std::vector<std::string> chosen;
    for (unsigned i = 0; i < receivers; ++i) {
        chosen.push_back(kind.empty() ? d.one(kinds()) : kind);
    }
    auto const has = [&](std::string_view name) {
        return std::ranges::find(chosen, name) != chosen.end();
    };
    static const std::vector<Duration> lengths{2h, 3h, 6h, 12h, 24h};
    world.length = d.one(lengths);
    if (has("day")) world.length = 72h;
    if ((has("reputation") || has("compliance")) && world.length < 24h) world.length = 24h;
    if ((has("faster") || has("more") || has("hour") || has("slower") || has("fewer") ||
         has("down")) &&
        world.length < 12h)
        world.length = 12h;
    auto& setup = world.setup;
    setup.begin = midnight;
    setup.end = midnight + world.length;
    setup.seed = d.seed();
    setup.retry.steps = {30s, 2min, 5min, 15min, 30min, 1h, 2h, 4h};
    setup.retry.expire_after = 120h;
    configured(d, world);
    for (unsigned i = 0; i < receivers; ++i) {
        auto const pace = d.scale(1'500, 6'000) / seconds(world.length);
        setup.receivers.emplace_back(fmt::format("r{}", i), limits_of(chosen[i], pace, d));
        auto& party = world.parties.emplace_back();
        party.kind = chosen[i];
        auto const domains = chosen[i] == "domains"      ? 3
                             : chosen[i] == "compliance" ? d.whole(2, 4)
                                                         : d.whole(1, 3);
        for (unsigned n = 0; n < domains; ++n) {
            party.domains.push_back(fmt::format("s{}.example", n));
        }
        places_of(chosen[i], i, d, world);
        changes_of(chosen[i], i, d, world);
        mail_of(i, pace, d, world);
    }
    std::ranges::sort(setup.mail, [](const auto& a, const auto& b) {
        return std::tie(a.at, a.stream.destination, a.stream.sender_domain, a.count) <
               std::tie(b.at, b.stream.destination, b.stream.sender_domain, b.count);
    });
    for (unsigned n = d.chance(0.6) ? d.whole(1, 3) : 0; n > 0; --n) {
        setup.restarts.push_back(
            {midnight + of_seconds(seconds(world.length) * d.between(0.02, 0.9)),
             d.chance(0.5),
             of_seconds(d.scale(0.5, 60))});
    }
    std::ranges::sort(setup.restarts, {}, &RehearsalSetup::Restart::at);
    return world;
}

}  // namespace millrace::days
