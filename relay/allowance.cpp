#include "relay/allowance.hpp"

#include <fmt/format.h>

#include "relay/words.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t senders_shown = 20;

std::string learned_from(Time since, const std::string& said, Time now) {
    return fmt::format(
        "learned {}{}", ago_words(since, now), said.empty() ? "" : " from " + in_quotes(said));
}

void add_rate(std::vector<Allowance>& all,
              const RateKnob& knob,
              const std::string& what,
              const std::string& whose,
              Time now) {
    auto const& rate = knob.learned();
    if (rate.pace <= 0 && rate.since == Time{}) return;
    auto text = rate.pace > 0 ? pace_text(rate.pace) : std::string("not measured yet");
    if (what == "connection rate" && rate.pace > 0) {
        // The same units, of connections.
        auto const at = text.find("message");
        text.replace(at, std::string("message").size(), "connection");
    }
    all.push_back({what,
                   fmt::format("{}{}: {}", whose, text, learned_from(rate.since, rate.said, now)),
                   "learned",
                   rate.since,
                   rate.said});
}

}  // namespace

std::vector<Allowance> allowances(const Share& share, Time now) {
    std::vector<Allowance> all;
    auto const& most = share.ceilings();
    auto const& block = share.block().learned();
    if (share.block().shut(now) || share.block().on_trial()) {
        all.push_back({"block",
                       fmt::format("nothing until {}: {}, {}",
                                   clock_words(block.until, now),
                                   to_string(block.cause),
                                   learned_from(block.since, block.said, now)),
                       "learned",
                       block.since,
                       block.said});
    }
    auto const& connections = share.connections().learned();
    if (connections.bad > 0) {
        auto const limit = std::max(1U, connections.bad - 1);
        all.push_back(
            {"connections",
             fmt::format("{}: the {} was refused {}{}",
                         count_words(limit, "connection"),
                         ordinal(connections.bad),
                         ago_words(connections.since, now),
                         connections.said.empty() ? "" : ", " + in_quotes(connections.said)),
             "learned",
             connections.since,
             connections.said});
    } else {
        all.push_back({"connections",
                       fmt::format("{}: a setting{}",
                                   count_words(most.connections, "connection"),
                                   connections.good == 0
                                       ? std::string()
                                       : fmt::format("; so far {} at once {} been greeted",
                                                     connections.good,
                                                     connections.good == 1 ? "has" : "have")),
                       "setting",
                       {},
                       {}});
    }
    add_rate(all, share.messages(), "rate", "", now);
    add_rate(all, share.openings(), "connection rate", "", now);
    if (auto const& uses = share.uses().learned(); uses.limit > 0) {
        auto const how = uses.since == Time{}   ? std::string("it ended after them")
                         : uses.said.empty() ? "raised " + ago_words(uses.since, now)
                                             : learned_from(uses.since, uses.said, now);
        all.push_back({"per connection",
                       fmt::format("{} on one connection: {}",
                                   count_words(uses.limit, "message"),
                                   how),
                       "learned",
                       uses.since,
                       uses.said});
    }
    auto const setting = [&](std::string what, std::string text) {
        all.push_back({std::move(what), std::move(text) + ": a setting", "setting", {}, {}});
    };
    if (most.messages_per_second > 0) setting("rate", pace_text(most.messages_per_second));
    if (most.messages_per_hour > 0) {
        setting("rate", count_words(most.messages_per_hour, "message") + " in an hour");
    }
    if (most.messages_per_day > 0) {
        setting("rate", count_words(most.messages_per_day, "message") + " in a day");
    }
    if (most.connections_per_second > 0) {
        setting("connection rate",
                fmt::format("{:g} connections a second", most.connections_per_second));
    }
    std::size_t shown = 0;
    for (auto const& [domain, hold] : share.holds()) {
        if (!hold.shut(now) && !hold.on_trial()) continue;
        if (++shown > senders_shown) break;
        auto const& held = hold.learned();
        all.push_back({"hold",
                       fmt::format("nothing from {} until {}: {}, {}",
                                   domain,
                                   clock_words(held.until, now),
                                   to_string(held.cause),
                                   learned_from(held.since, held.said, now)),
                       "learned",
                       held.since,
                       held.said});
    }
    shown = 0;
    for (auto const& [domain, knob] : share.senders()) {
        if (++shown > senders_shown) break;
        add_rate(all, knob, "rate", domain + ": ", now);
    }
    return all;
}

std::vector<Allowance> warm_up_allowances(const ShareState& state, Time now) {
    std::vector<Allowance> all;
    for (auto const& [domain, warm_up] : state.warm_ups) {
        auto const& s = warm_up.state();
        if (warm_up.over() || s.began == Time{}) continue;
        auto const end = warm_up.ends(now);
        all.push_back(
            {"warm-up",
             fmt::format("{}{} of {} sent today, {} in an hour at most; "
                         "{}{}",
                         domain.empty() ? "" : domain + ": ",
                         warm_up.begun(now),
                         count_words(warm_up.allowance(now), "message"),
                         warm_up.in_an_hour(now),
                         s.days == 0 ? "no day has counted yet"
                                     : fmt::format("{} counted so far", count_words(s.days, "day")),
                         end == never ? ""
                                      : fmt::format("; it is over {} if every day goes "
                                                    "well",
                                                    ahead_words(end, now))),
             "setting",
             s.began,
             {}});
    }
    return all;
}

ProviderStatus provider_status(const Share& share, Time now) {
    ProviderStatus p;
    p.source = share.source();
    p.provider = share.provider();
    p.connections = share.standing() + share.opening();
    p.connections_allowed = share.connections().allowed(now);
    p.allowances = allowances(share, now);
    p.unknown_users = share.unknown_share();
    auto const wait = share.wait(now);
    if (share.block().shut(now) || share.block().on_trial()) {
        p.state = "blocked";
    } else if (wait.any() && wait.until != never && p.connections == 0) {
        p.state = "resting";
    } else {
        p.state = p.connections > 0 ? "sending" : "idle";
    }
    p.cause = wait.reason;
    p.until = wait.until;
    return p;
}

}  // namespace millrace::relay
