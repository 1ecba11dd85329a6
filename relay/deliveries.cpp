// The part of the dispatcher that talks: one coroutine per connection to a receiving server.
#include <algorithm>
#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"
#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;
using namespace asio::experimental::awaitable_operators;

/// When this machine may not send for a lane: look again then.
constexpr Duration not_ours_pause = 10s;
/// When a source cannot be sent from (it is no address of this machine): look again then.
constexpr Duration our_trouble_pause = 1min;
/// When an operator has stopped the source: look again then.
constexpr Duration source_order_pause = 10s;

/// A refusal for the time being that no rule knows.
bool puzzling(const RecipientOutcome& outcome) {
    // Behind MAIL it may be about the message or the recipient.
    return outcome.kind == OutcomeKind::deferred && outcome.code != 0 &&
           outcome.phase == Phase::mail &&
           (outcome.blame() == Blame::none || outcome.blame() == Blame::receiver_ill);
}

RecipientOutcome outcome_of(const Opened& opened) {
    RecipientOutcome outcome;
    outcome.kind = opened.kind;
    outcome.phase = opened.phase;
    outcome.code = opened.code;
    outcome.enhanced = opened.enhanced;
    outcome.text = opened.text;
    outcome.host = opened.host;
    outcome.source_ip = opened.source_ip;
    outcome.typed = opened.typed;
    return outcome;
}

Transaction transaction_of(const Envelope& envelope,
                           const Body& body,
                           const std::vector<Work>& works) {
    Transaction t;
    t.sender = envelope.sender;
    t.recipients.reserve(works.size());
    for (auto const& work : works) {
        t.recipients.push_back(envelope.recipients.at(work.key.index));
    }
    t.body = body;
    t.body_type = envelope.body;
    t.smtputf8 = envelope.smtputf8;
    t.ret = envelope.ret;
    t.envid = envelope.envid;
    auto const& first = works.front();
    t.label = {first.destination, first.account, first.sender_domain, envelope.id};
    return t;
}

}  // namespace

Task<void> Dispatcher::connection(std::string lane) {
    auto const source = scheduler_.source(lane);
    auto const found = routes_.find(scheduler_.site(lane));
    MILLRACE_CHECK(found != routes_.end());
    if (auto const* const no_route = std::get_if<NoRoute>(&found->second)) {
        auto const outcome = *no_route;
        co_await turn_away(std::move(lane), outcome);
        co_return;
    }
    auto const route = std::get<Route>(found->second);
    CourierOptions options;
    options.hostname = settings_->relay.hostname;
    auto const sources = sources_of(source);
    options.sources = sources;
    options.connect_timeout = settings_->relay.delivery.connect_timeout;
    options.rules = book_;
    options.provider = scheduler_.provider(lane);
    // A broken spool could not keep the outcome: what is sent then would be sent again.
    options.may_send = [this] {
        return !broken_ && !parts_.spool.health().broken;
    };
    options.transcript = std::make_shared<Transcript>(
        trace_, dialogues_, parts_.clock, route.site, ++conversations_);
    auto const courier = std::make_shared<Courier>(
        parts_.network, parts_.clock, parts_.log, readers_, std::move(options));
    std::erase_if(couriers_, [](auto const& weak) { return weak.expired(); });
    couriers_.push_back(courier);

    auto targets = relay::order(route, parts_.random);
    auto const began = parts_.clock.now();
    auto const* const stopped = leave_out_stopped(targets, sources);
    if (stopped != nullptr && targets.empty()) {
        auto const until = std::min(stopped->until, began + source_order_pause);
        scheduler_.not_tried(lane, until, stopped->sentence(), began);
        poke();
        co_return;
    }
    auto const opened = co_await courier->open(route, std::move(targets));
    if (opened.ok) {
        scheduler_.greeted(lane, parts_.clock.now());
        poke();
        co_await converse(std::move(lane), courier);
    } else {
        co_await unreachable(std::move(lane), opened, began);
    }
    poke();
}

Task<void> Dispatcher::converse(std::string lane, std::shared_ptr<Courier> courier) {
    unsigned sent = 0;
    bool was_idle = false;
    auto const settling = std::make_shared<Settling>(parts_.executor);
    auto idle_since = parts_.clock.now();
    while (!stopping_ && order_on_source(courier->source_ip()) == nullptr) {
        auto next = scheduler_.next(lane, courier->recipients_max(), parts_.clock.now());
        if (next.leave) {
            break;
        }
        if (!next.pick) {
            poke();
            if (co_await idle(lane)) {
                continue;
            }
            was_idle = true;
            break;
        }
        ++sent;
        auto const idle_for = sent == 1 ? Duration::zero() : parts_.clock.now() - idle_since;
        bool const again =
            co_await deliver(*courier, settling, std::move(*next.pick), sent, idle_for);
        idle_since = parts_.clock.now();
        if (!again || sent >= scheduler_.messages_per_connection(lane)) {
            break;
        }
    }
    // The slot is ours until the receiver has seen the end: it counts connections too.
    co_await courier->quit();
    leaving_ -= was_idle ? 1 : 0;
    scheduler_.connection_closed(lane, parts_.clock.now());
}

Task<bool> Dispatcher::idle(std::string lane) {
    auto const me = std::make_shared<Idle>(parts_.executor);
    me->since = parts_.clock.now();
    idle_[lane].push_back(me);
    auto wait = me->signal.wait();
    auto limit = parts_.clock.sleep(std::max(settings_->relay.delivery.idle_connection,
                                             scheduler_.worth_keeping(lane, me->since)));
    co_await (std::move(wait) || std::move(limit));
    if (me->woken) {
        co_return true;
    }
    auto& waiting = idle_[lane];
    std::erase(waiting, me);
    if (waiting.empty()) {
        idle_.erase(lane);
    }
    if (!me->dismissed) {
        // At once: while we say goodbye, nobody may wake us any more.
        scheduler_.idle_ended(lane);
        ++leaving_;
    }
    co_return false;
}

Task<void> Dispatcher::turn_away(std::string lane, NoRoute outcome) {
    scheduler_.greeted(lane, parts_.clock.now());
    Next next;
    while ((next = scheduler_.next(lane, ~0U, parts_.clock.now())).pick) {
        auto& pick = next.pick;
        scheduler_.ended(*pick, parts_.clock.now());
        auto loaded = co_await load(*pick);
        if (!loaded) {
            co_await set_aside(std::move(*pick), loaded.error());
            continue;
        }
        std::vector<RecipientOutcome> outcomes(pick->works.size(), outcome);
        co_await settle_attempt(
            std::move(*pick), std::move(*loaded), std::move(outcomes), parts_.clock.now());
    }
    // Who is told to leave does not count as idle.
    if (!next.leave) scheduler_.idle_ended(lane);
    scheduler_.connection_closed(lane, parts_.clock.now());
    poke();
}

Task<void> Dispatcher::unreachable(std::string lane, Opened opened, Time began) {
    auto const now = parts_.clock.now();
    if (opened.ours && !stopping_) {
        // The mail has had no attempt, and the operator is who can change it.
        parts_.log.warning("delivery.cannot-send",
                           {{"site", scheduler_.site(lane)}, {"why", opened.text}});
        parts_.on_problem("delivery.cannot-send", opened.text);
        scheduler_.not_tried(lane, now + our_trouble_pause, opened.text, now);
        if (auto const source = scheduler_.source(lane); !source.empty()) {
            scheduler_.source_down(source, now + our_trouble_pause, opened.text, now);
        }
        co_return;
    }
    if (opened.refused || opened.ours || stopping_) {
        scheduler_.not_tried(
            lane, now + not_ours_pause, "this machine may not send for it at the moment", now);
        co_return;
    }
    parts_.log.info("delivery.unreachable",
                    {{"site", scheduler_.site(lane)},
                     {"source", scheduler_.source(lane)},
                     {"host", opened.host},
                     {"why", opened.line()}});
    bool const stands = scheduler_.stands(lane, now);
    if (holds_back(opened.typed) || (opened.hung_up && stands)) {
        // It spoke of us, not of the mail: no attempt is spent.
        Answer answer;
        answer.typed = opened.typed;
        answer.said = opened.line();
        answer.began = began;
        answer.silent = opened.hung_up;
        answer.over_ipv6 = opened.source_ip.find(':') != std::string::npos;
        log_limit(lane, answer);
        scheduler_.not_greeted(lane, answer, now);
        if (auto apart = scheduler_.take_apart(); !apart.empty()) {
            work_.spawn(split_off(std::move(apart)));
        }
        co_return;
    }
    // While others of the site stand, it is there; mail that could not go now goes by those.
    auto picks = stands ? std::vector<Pick>{} : scheduler_.take_all(lane);
    scheduler_.unreachable(lane, opened.line(), now);
    for (auto& pick : picks) {
        auto loaded = co_await load(pick);
        if (!loaded) {
            co_await set_aside(std::move(pick), loaded.error());
            continue;
        }
        std::vector<RecipientOutcome> outcomes(pick.works.size(), outcome_of(opened));
        co_await settle_attempt(std::move(pick), std::move(*loaded), std::move(outcomes), now);
    }
}

Task<Result<Dispatcher::Loaded>> Dispatcher::load(const Pick& pick) {
    if (pick.hot) {
        co_return Loaded{pick.hot->envelope, pick.hot->body};
    }
    auto const message = pick.message;
    auto envelope = co_await parts_.spool.envelope(message);
    if (!envelope) {
        co_return std::unexpected(envelope.error());
    }
    auto body = co_await parts_.spool.body(message);
    if (!body) {
        co_return std::unexpected(body.error());
    }
    co_return Loaded{std::move(*envelope), std::move(*body)};
}

Task<bool> Dispatcher::deliver(Courier& courier,
                               std::shared_ptr<Settling> settling,
                               Pick pick,
                               unsigned use,
                               Duration idle_for) {
    auto const began = parts_.clock.now();
    auto loaded = co_await load(pick);
    if (!loaded) {
        scheduler_.ended(pick, parts_.clock.now());
        co_await set_aside(std::move(pick), loaded.error());
        co_return courier.reusable();
    }
    if (planted("mark-before-dot")) {
        std::vector<RecipientOutcome> early(pick.works.size());
        for (auto& outcome : early) {
            outcome.kind = OutcomeKind::delivered;
        }
        co_await settle_attempt(pick, *loaded, std::move(early), began);
        auto unheard = transaction_of(loaded->envelope, loaded->body, pick.works);
        co_await courier.send(std::move(unheard));
        co_return courier.reusable();
    }
    auto transaction = transaction_of(loaded->envelope, loaded->body, pick.works);
    auto outcomes = co_await courier.send(std::move(transaction));
    for (auto& outcome : outcomes) {
        outcome.source_ip = courier.source_ip();
    }
    scheduler_.ended(pick, parts_.clock.now());
    learn(pick, outcomes, began, use, idle_for);
    while (settling->busy) {
        co_await settling->done.wait();
    }
    settling->busy = true;
    work_.spawn(settle_beside(
        settling, std::move(pick), std::move(*loaded), std::move(outcomes), began, use));
    co_return courier.reusable();
}

Task<void> Dispatcher::settle_beside(std::shared_ptr<Settling> settling,
                                     Pick pick,
                                     Loaded loaded,
                                     std::vector<RecipientOutcome> outcomes,
                                     Time began,
                                     unsigned use) {
    co_await settle_attempt(std::move(pick), std::move(loaded), std::move(outcomes), began, use);
    settling->busy = false;
    settling->done.notify();
}

void Dispatcher::learn(const Pick& pick,
                       const std::vector<RecipientOutcome>& outcomes,
                       Time began,
                       unsigned use,
                       Duration idle_for) {
    auto const now = parts_.clock.now();
    auto const key = parse_stream(pick.stream);
    Answer answer;
    answer.began = began;
    answer.use = use;
    answer.idle_for = idle_for;
    answer.sender_domain = key.sender_domain;
    answer.bulk = key.klass == Class::bulk;
    bool passed = false, told = false;
    for (auto const& outcome : outcomes) {
        passed = passed || outcome.kind == OutcomeKind::delivered;
        if (outcome.kind == OutcomeKind::delivered || outcome.phase == Phase::rcpt) {
            scheduler_.unknown_user(
                pick.lane,
                pick.stream,
                outcome.kind == OutcomeKind::bounced && outcome.blame() == Blame::recipient,
                outcome.line(),
                now);
        }
        bool const silent = outcome.hung_up && outcome.phase == Phase::mail;
        if (told || !(counts_against_us(outcome.blame()) || silent || puzzling(outcome))) continue;
        // Recipients of one transaction are refused together; it counts once.
        told = true;
        answer.over_ipv6 = outcome.source_ip.find(':') != std::string::npos;
        answer.typed = outcome.typed;
        answer.said = outcome.line();
        answer.silent = silent;
        log_limit(pick.lane, answer);
        scheduler_.refused(pick.lane, answer, now);
        if (auto apart = scheduler_.take_apart(); !apart.empty()) {
            work_.spawn(split_off(std::move(apart)));
        }
    }
    if (!outcomes.empty()) {
        answer.over_ipv6 = outcomes.front().source_ip.find(':') != std::string::npos;
    }
    if (passed) scheduler_.passed(pick.lane, answer, now);
}

void Dispatcher::log_limit(const std::string& lane, const Answer& answer) {
    parts_.log.info("lane.limited",
                    {{"site", scheduler_.site(lane)},
                     {"source", scheduler_.source(lane)},
                     {"limit", answer.silent ? "silence" : to_string(answer.typed.blame)},
                     {"axis", to_string(answer.typed.axis)},
                     {"message", answer.use},
                     {"reply", answer.said}});
}

Task<void> Dispatcher::stop(Time deadline) {
    stopping_ = true;
    stop_by_ = deadline;
    poke();
    for (auto& [site, waiting] : idle_) {
        for (auto const& one : waiting) {
            one->signal.notify();
        }
    }
    // Whoever is between messages ends now; whoever is in one has until the deadline.
    auto abort_late = [](Dispatcher* self, Time at) -> Task<void> {
        co_await self->parts_.clock.sleep_until(at);
        for (auto const& weak : self->couriers_) {
            if (auto const courier = weak.lock()) {
                courier->abort();
            }
        }
    };
    TaskGroup guard(parts_.executor, parts_.log, "dispatch-stop");
    guard.spawn(abort_late(this, deadline));
    co_await connections_.drained();
    guard.stop();
    co_await guard.drained();
    co_await readers_.drained();
    co_await work_.drained();
    timers_.stop();
    co_await timers_.drained();
    if (!broken_) co_await write_learned(true);
}

}  // namespace millrace::relay
