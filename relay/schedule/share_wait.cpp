// Why a share lets nothing more start, in words that need no knowledge of us.
#include <fmt/format.h>

#include "relay/schedule/share.hpp"

namespace millrace::relay {
namespace {

std::string blocked(const std::string& provider, Blame cause) {
    switch (cause) {
        case Blame::reputation:
            return provider + " refuses mail from our address for its reputation";
        case Blame::blocklist:
            return "our address is on a blocklist that " + provider + " uses";
        case Blame::compliance:
            return provider +
                   " demands of our address what it does not have (reverse name, "
                   "authentication, encryption)";
        case Blame::receiver_ill:
            return provider + " has trouble of its own";
        case Blame::tls:
            return "encryption with " + provider + " does not come about";
        default:
            return fmt::format("{} refuses everything from us ({})", provider, to_string(cause));
    }
}

std::string held_back(const std::string& provider, const std::string& domain, Blame cause) {
    switch (cause) {
        case Blame::compliance:
            return fmt::format(
                "{} does not find mail from {} in order (authentication, alignment, "
                "unsubscribing)",
                provider,
                domain);
        case Blame::reputation:
        case Blame::blocklist:
            return fmt::format("{} refuses mail from {} for its reputation", provider, domain);
        default:
            return fmt::format("{} refuses mail from {} ({})", provider, domain, to_string(cause));
    }
}

std::string count_of(unsigned n, std::string_view noun) {
    return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

}  // namespace

std::string pace_text(double per_second) {
    auto const [number, unit] = per_second >= 1          ? std::pair(per_second, "second")
                                : per_second * 60 >= 1   ? std::pair(per_second * 60, "minute")
                                : per_second * 3600 >= 1 ? std::pair(per_second * 3600, "hour")
                                                         : std::pair(per_second * 86400, "day");
    auto const text = number >= 100 ? fmt::format("{:.0f}", number) : fmt::format("{:.3g}", number);
    return fmt::format("{} message{} a {}", text, text == "1" ? "" : "s", unit);
}

Wait Share::wait(Time now) const {
    auto const& b = block_.learned();
    if (block_.shut(now)) {
        return {blocked(provider_, b.cause),
                b.until,
                b.since,
                b.said,
                b.cause,
                {},
                "provider:" + provider_};
    }
    if (block_.on_trial() && in_flight_ + standing_ + opening_ > 0) {
        return {blocked(provider_, b.cause) +
                    "; the wait is over and one message is being tried, alone",
                never,
                b.since,
                b.said,
                b.cause};
    }
    if (auto const at = patience_until(now); at > now) {
        return {fmt::format("{} refused us {} within a minute, and is given a rest",
                            provider_,
                            count_of(static_cast<unsigned>(recent(now)), "time")),
                at,
                recent_.back(),
                {}};
    }
    auto const& rate = messages_.learned();
    if (!messages_.ready(now)) {
        auto const reason =
            now < rate.rest_until
                ? fmt::format("{} said that we send too fast, and is given a rest", provider_)
                : fmt::format("{} takes {}, and we keep to that", provider_, pace_text(rate.pace));
        return {reason, messages_.next(now), rate.since, rate.said, Blame::rate};
    }
    if (messages_.one_at_a_time() && in_flight_ > 0) {
        return {fmt::format("{} said that we send too fast; until its limit is measured, messages "
                            "go out one at a time",
                            provider_),
                never,
                rate.since,
                rate.said,
                Blame::rate};
    }
    if (!second_.ready(now)) {
        return {
            fmt::format(
                "a setting allows {} to {}", pace_text(ceilings_.messages_per_second), provider_),
            second_.next(now),
            {},
            {}};
    }
    auto const& known = connections_.learned();
    auto const open = standing_ + opening_;
    if (open > 0 && open >= connections_.allowed(now)) {
        if (known.bad > 0) {
            auto const limit = std::max(1U, known.bad - 1);
            return {fmt::format("{} takes {} at once, and {} busy",
                                provider_,
                                count_of(limit, "connection"),
                                limit == 1 ? "it is" : "they are"),
                    never,
                    known.since,
                    known.said,
                    Blame::connections};
        }
        if (open >= ceilings_.connections) {
            return {fmt::format("a setting allows {} to {}, and {} busy",
                                count_of(ceilings_.connections, "connection"),
                                provider_,
                                ceilings_.connections == 1 ? "it is" : "they are"),
                    never,
                    {},
                    {}};
        }
        return {fmt::format("{} open to {}, all busy; more are opened one by one as it goes well",
                            open == 1 ? "1 connection is" : fmt::format("{} connections are", open),
                            provider_),
                never,
                {},
                {}};
    }
    if (open == 0 && now < connect_at(now)) {
        auto const& opened = openings_.learned();
        bool const too_often = openings_.next(now) > std::max(now, connections_.not_before());
        return {too_often ? fmt::format("{} said that we connect too often, and is given a rest",
                                        provider_)
                          : fmt::format("{} takes no connection from us at the moment", provider_),
                connect_at(now),
                too_often ? opened.since : known.since,
                too_often ? opened.said : known.said,
                too_often ? Blame::rate : Blame::connections};
    }
    return {};
}

Wait Share::list_wait(const std::string& party) const {
    auto const* const hold = lists_.held(party);
    if (hold == nullptr) return {};
    return {fmt::format("bulk mail of {} is held, because {} did not know {:.0f} % of its recipients",
                        party_text(party),
                        provider_,
                        hold->share * 100),
            never,
            hold->since,
            hold->said,
            Blame::recipient,
            "millrace resume provider:" + provider_};
}

Wait Share::sender_wait(const std::string& domain, Time now) const {
    if (auto const hold = holds_.find(domain); hold != holds_.end() && hold->second.shut(now)) {
        auto const& h = hold->second.learned();
        return {held_back(provider_, domain, h.cause),
                h.until,
                h.since,
                h.said,
                h.cause,
                {},
                "from:" + domain};
    }
    if (auto const knob = senders_.find(domain);
        knob != senders_.end() && !knob->second.ready(now)) {
        auto const& rate = knob->second.learned();
        return {rate.pace > 0 && now >= rate.rest_until
                    ? fmt::format("{} takes {} from {}, and we keep to that",
                                  provider_,
                                  pace_text(rate.pace),
                                  domain)
                    : fmt::format(
                          "{} said that {} sends too fast, and is given a rest", provider_, domain),
                knob->second.next(now),
                rate.since,
                rate.said,
                Blame::rate};
    }
    return {};
}

}  // namespace millrace::relay
