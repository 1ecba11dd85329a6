// The answers about places: destinations and providers.
#include <fmt/format.h>

#include "relay/explainer.hpp"
#include "relay/words.hpp"

namespace millrace::relay {
namespace {

void add_allowances(Explanation& e, const ProviderStatus& p) {
    for (auto const& allowance : p.allowances) {
        e.lines.push_back({allowance.what, allowance.text + "."});
        if (allowance.from == "learned" && e.said.empty()) {
            e.said = allowance.said;
            e.learned = allowance.since;
        }
    }
}

void add_amount(Explanation& e, std::uint64_t queued, std::uint64_t held, Time oldest, Time now) {
    auto text = count_words(queued, "recipient");
    if (held > 0) text += fmt::format(", and {} held by an operator", held);
    if (oldest != never) text += fmt::format("; the oldest came {}", ago_words(oldest, now));
    e.lines.push_back({"queued", text + "."});
}

void add_rate(Explanation& e, const ProviderStatus& p, std::uint64_t queued, Time now) {
    if (p.rate <= 0) return;
    auto text = fmt::format("about {} of late", pace_text(p.rate));
    if (queued > 0) {
        auto const left = std::chrono::duration_cast<Duration>(
            std::chrono::duration<double>(static_cast<double>(queued) / p.rate));
        e.expected = now + left;
        text += fmt::format("; if it goes on like that, what is queued now is through {}",
                            ahead_words(e.expected, now));
    }
    e.lines.push_back({"pace", text + "."});
}

void add_last_reply(Explanation& e, const std::string& host, const std::string& reply) {
    if (reply.empty()) return;
    e.lines.push_back(
        {"last reply", fmt::format("{}{}", host.empty() ? "" : host + ": ", in_quotes(reply))});
}

std::string sentence(const std::string& state, const std::string& cause, Time until, Time now) {
    if (state == "sending" && cause.empty()) return "Mail is being sent, and nothing holds it up.";
    if (state == "sending") return fmt::format("Mail is being sent, as fast as it may: {}.", cause);
    if (state == "idle") return "Nothing waits, and nothing holds mail up.";
    auto const end = until != never && until > now ? fmt::format(" Until {}, {} from now.",
                                                                 clock_words(until, now),
                                                                 span_words(until - now))
                                                   : std::string();
    if (cause.empty()) return "Mail waits for its turn." + end;
    return fmt::format("Mail waits: {}.{}", cause, end);
}

}  // namespace

Explanation explain(const ProviderStatus& p, Time now) {
    Explanation e;
    e.about = Explanation::About::provider;
    e.provider = p.provider;
    e.source = p.source;
    e.state = p.state;
    e.until = p.until;
    e.answer = sentence(p.state, p.cause, p.until, now);
    add_amount(e, p.queued, p.held, p.oldest, now);
    add_allowances(e, p);
    add_rate(e, p, p.queued, now);
    add_last_reply(e, p.last_host, p.last_reply);
    if (p.sites.size() > 1) {
        e.lines.push_back({"sites",
                           count_words(p.sites.size(), "site") +
                               " count as one receiver, because what one learns holds for "
                               "all:"});
        for (auto const& why : p.evidence)
            e.lines.push_back({"", why + "."});
    }
    return e;
}

Explanation explain(const DestinationStatus& d, const ProviderStatus& at, Time now) {
    Explanation e;
    e.about = Explanation::About::destination;
    e.destination = d.destination;
    e.provider = at.provider;
    e.source = at.source;
    bool const of_provider = at.state == "blocked" || at.state == "resting";
    using State = DestinationStatus::State;
    e.state = of_provider                 ? at.state
              : d.state == State::idle    ? "idle"
              : d.state == State::sending ? "sending"
              : d.state == State::waiting ? "waiting"
              : d.state == State::paused  ? "paused"
                                          : "held";
    e.until = of_provider ? at.until : d.until;
    e.answer =
        sentence(e.state,
                 of_provider || (d.why.empty() && d.state == State::sending) ? at.cause : d.why,
                 e.until,
                 now);
    add_amount(e, d.queued, d.held, d.oldest, now);
    if (!at.provider.empty()) {
        e.lines.push_back({"goes to",
                           at.provider == d.site || d.site.empty()
                               ? at.provider + "."
                               : fmt::format("{}, at {}.", at.provider, d.site)});
    }
    add_allowances(e, at);
    add_rate(e, at, 0, now);
    add_last_reply(e, d.last_host, d.last_reply);
    return e;
}

}  // namespace millrace::relay
