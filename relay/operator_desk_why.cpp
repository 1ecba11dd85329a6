// The part of the operator's desk that explains: where mail waits and why, for providers, messages
// and destinations.
#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include "relay/allowance.hpp"
#include "relay/explainer.hpp"
#include "relay/operator_desk.hpp"
#include "relay/words.hpp"

namespace millrace::relay {
namespace {

constexpr Duration look_around_every = std::chrono::minutes(1);
constexpr unsigned place_page = 1'000;
/// Beyond, the place is "at least".
constexpr std::size_t counted_max = 10'000;

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return text;
}

/// What the last refusal means, by the rules that typed it then.
Typed typed_of(const std::vector<Event>& events,
               const RuleBook& book,
               const std::string& provider) {
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
        if (event->smtp_code < 400) continue;
        auto const at = event->sender.rfind('@');
        return book.type(provider,
                         event->smtp_code,
                         event->enhanced_status,
                         event->reason,
                         at == std::string::npos ? "" : event->sender.substr(at + 1));
    }
    return {};
}

void add(ProviderStatus& to, const DestinationStatus& from) {
    to.queued += from.queued;
    to.held += from.held;
    to.oldest = std::min(to.oldest, from.oldest);
    if (to.last_reply.empty()) {
        to.last_reply = from.last_reply;
        to.last_host = from.last_host;
    }
    to.destinations.push_back(from);
}

void add(StreamSummary& to, const StreamSummary& from) {
    to.count += from.count;
    to.held += from.held;
    to.next_due = std::min(to.next_due, from.next_due);
    to.oldest = std::min(to.oldest, from.oldest);
}

/// What of a destination stands before one source.
DestinationStatus part_of(DestinationStatus d, const StreamSummary& part) {
    d.queued = part.count;
    d.held = part.held;
    d.oldest = part.oldest;
    d.next_due = part.next_due;
    return d;
}

/// With its queue: what a share alone does not know.
void settle_state(ProviderStatus& p) {
    if (p.queued == 0 && p.held > 0 && p.state != "blocked") {
        p.state = "held";
        p.cause = "all of it is held by an operator: millrace release";
        return;
    }
    if (p.state != "idle" || p.queued == 0) return;
    // Nothing of the provider's own keeps it: then the destinations know.
    for (auto const& d : p.destinations) {
        if (d.why.empty()) continue;
        p.state = d.state == DestinationStatus::State::paused ? "paused" : "waiting";
        p.cause = d.why;
        p.until = d.until != never ? d.until : d.next_due;
        return;
    }
    p.state = "waiting";
}

}  // namespace

Task<Result<std::vector<ProviderStatus>>> OperatorDesk::providers() {
    auto const found = co_await destinations();
    if (!found) {
        co_return std::unexpected(found.error());
    }
    auto const now = parts_.clock.now();
    auto const& scheduler = parts_.dispatcher.scheduler();
    auto const& map = parts_.dispatcher.providers();
    // What stands before which of our sources.
    std::map<std::pair<std::string, std::string>, StreamSummary> parts;
    if (!scheduler.limits().sources.empty()) {
        auto const streams = co_await parts_.spool.summary();
        if (!streams) {
            co_return std::unexpected(streams.error());
        }
        for (auto const& stream : *streams) {
            auto const [at, fresh] =
                parts.try_emplace({stream.destination, scheduler.source_of(stream.stream)}, stream);
            if (!fresh) add(at->second, stream);
        }
    }
    std::set<std::string> seen;
    std::map<std::string, std::vector<const DestinationStatus*>> by_provider;
    for (auto const& d : *found) {
        auto const view = scheduler.destination(d.destination, now);
        by_provider[view && !view->provider.starts_with('!') ? view->provider : ""].push_back(&d);
    }
    std::vector<ProviderStatus> out;
    for (auto const& [name, state] : scheduler.shares()) {
        auto const& provider = state.share.provider();
        if (provider.starts_with('!')) continue;  // no route: nobody is there
        auto p = provider_status(state.share, now);
        auto warm_ups = warm_up_allowances(state, now);
        p.allowances.insert(p.allowances.begin(),
                            std::make_move_iterator(warm_ups.begin()),
                            std::make_move_iterator(warm_ups.end()));
        p.rate = rate_of(state.share.source(), provider, now);
        p.sites = map.sites(provider);
        for (auto const& why : map.evidence(provider)) {
            p.evidence.push_back(fmt::format("{} and {}: {}, since {}",
                                             why.site,
                                             why.other,
                                             why.what,
                                             clock_words(why.since, now)));
        }
        if (auto const at = by_provider.find(provider); at != by_provider.end()) {
            for (auto const* const d : at->second) {
                auto const part = parts.find({d->destination, p.source});
                if (p.source.empty()) {
                    add(p, *d);
                } else if (part != parts.end()) {
                    add(p, part_of(*d, part->second));
                }
            }
            seen.insert(provider);
        }
        settle_state(p);
        out.push_back(std::move(p));
    }
    for (auto const& [provider, destinations] : by_provider) {
        if (seen.contains(provider)) continue;
        for (auto const* const d : destinations) {
            ProviderStatus p;
            p.provider = provider;
            p.state = "idle";
            add(p, *d);
            settle_state(p);
            out.push_back(std::move(p));
        }
    }
    std::ranges::sort(out, [](const ProviderStatus& l, const ProviderStatus& r) {
        return std::tuple(r.queued + r.held, l.provider, l.source) <
               std::tuple(l.queued + l.held, r.provider, r.source);
    });
    co_return out;
}

Task<std::optional<std::size_t>> OperatorDesk::place_of(Work work, bool& least) {
    least = false;
    DueCursor cursor;
    std::size_t before = 0;
    while (before < counted_max) {
        auto const page =
            co_await parts_.spool.due(stream_name(work), work.due, cursor, place_page);
        if (!page) co_return std::nullopt;
        for (auto const& other : *page) {
            if (other.key == work.key) co_return before;
            ++before;
        }
        if (page->size() < place_page) co_return std::nullopt;  // gone meanwhile
        cursor = {page->back().due, page->back().key};
    }
    least = true;
    co_return before;
}

Task<Explanation> OperatorDesk::explain_recipient(const StoredMail* mail,
                                                  const Work* work,
                                                  std::vector<Event> events) {
    auto const now = parts_.clock.now();
    RecipientFacts facts;
    facts.envelope = mail == nullptr ? nullptr : &mail->envelope;
    facts.work = work;
    facts.retry = &parts_.dispatcher.rules().retry;
    auto const& scheduler = parts_.dispatcher.scheduler();
    if (work != nullptr) {
        facts.view = scheduler.work(*work, {}, now);
        bool const counts =
            !facts.view.before && !facts.view.in_flight && !work->held && work->due <= now;
        if (counts) {
            auto const before = co_await place_of(*work, facts.place_is_a_minimum);
            facts.view = scheduler.work(*work, before, now);
        }
        facts.rate = rate_of(facts.view.source, facts.view.provider, now);
    }
    auto const provider = work != nullptr ? facts.view.provider
                          : events.empty()
                              ? std::string()
                              : parts_.dispatcher.providers().known(events.back().site);
    facts.last = typed_of(events, parts_.dispatcher.book(), provider);
    if (work == nullptr) facts.view.provider = provider;
    facts.events = std::move(events);
    co_return explain(facts, now);
}

Task<Result<std::vector<Explanation>>> OperatorDesk::why(MessageId id) {
    auto report = co_await show(id);
    if (!report) {
        co_return std::unexpected(report.error());
    }
    std::map<std::uint16_t, std::vector<Event>> events;
    for (auto& event : report->history) {
        events[event.recipient_index].push_back(std::move(event));
    }
    std::vector<Explanation> answers;
    auto const* const mail = report->mail ? &*report->mail : nullptr;
    std::set<std::uint16_t> waiting;
    if (mail != nullptr) {
        for (auto const& work : mail->works) {
            waiting.insert(work.key.index);
            if (answers.size() == recipients_explained) break;
            answers.push_back(
                co_await explain_recipient(mail, &work, std::move(events[work.key.index])));
        }
    }
    for (auto& [index, history] : events) {
        if (answers.size() == recipients_explained) break;
        if (waiting.contains(index)) continue;
        answers.push_back(co_await explain_recipient(mail, nullptr, std::move(history)));
    }
    co_return answers;
}

Task<Result<Explanation>> OperatorDesk::why_destination(std::string name) {
    name = lower(std::move(name));
    auto const all = co_await providers();
    if (!all) {
        co_return std::unexpected(all.error());
    }
    auto const now = parts_.clock.now();
    for (auto const& p : *all) {
        if (p.provider == name || std::ranges::find(p.sites, name) != p.sites.end()) {
            co_return explain(p, now);
        }
        for (auto const& d : p.destinations) {
            if (d.destination == name) co_return explain(d, p, now);
        }
    }
    co_return failure(
        Fault::not_found,
        fmt::format("no mail waits for {}, and nothing has been learned of it", name));
}

// ---- unasked

double OperatorDesk::unknown_users() const {
    double most = 0;
    for (auto const& [name, state] : parts_.dispatcher.scheduler().shares()) {
        most = std::max(most, state.share.unknown_share());
    }
    return most;
}

Task<void> OperatorDesk::watch() {
    while (true) {
        co_await parts_.clock.sleep(look_around_every);
        auto const streams = co_await parts_.spool.summary();
        auto const now = parts_.clock.now();
        std::vector<Alert> seen;
        for (auto const& [name, state] : parts_.dispatcher.scheduler().shares()) {
            auto found = alerts_of(state.share, now);
            std::ranges::move(found, std::back_inserter(seen));
        }
        for (auto const& [address, name] : parts_.dispatcher.unconfirmed()) {
            seen.push_back({"source-name",
                            address,
                            false,
                            now,
                            "no mail leaves from it: " + name.why +
                                "; large receivers refuse IPv6 mail from an address whose name "
                                "does not lead back to it (relay.sources: ptr)"});
        }
        if (streams) {
            auto found = late_alerts(*streams, parts_.late_after(), now);
            std::ranges::move(found, std::back_inserter(seen));
        }
        for (auto const& [begins, alert] : alerts_.look(std::move(seen), now)) {
            parts_.log.warning(begins ? "alert.raised" : "alert.ended",
                               {{"kind", alert.kind},
                                {"object", alert.object},
                                {"critical", alert.critical ? "yes" : "no"},
                                {"text", alert.text}});
            if (begins) problem("alert." + alert.kind, alert.text);
        }
    }
}

}  // namespace millrace::relay
