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

/// What was learned is written down this often: a crash forgets no more than that.
constexpr Duration learned_kept_every = 2s;
/// When this machine may not send for a lane: look again then.
constexpr Duration not_ours_pause = 10s;
/// When a source cannot be sent from (it is no address of this machine): look again then.
constexpr Duration our_trouble_pause = 1min;
/// When an operator has stopped the source: look again then.
constexpr Duration source_order_pause = 10s;

/// It speaks of us: the limit, the address, what we have in order; other mail would hear the same.
bool holds_back(Blame blame) {
    return is_limit(blame) || blame == Blame::reputation || blame == Blame::blocklist ||
           blame == Blame::compliance;
}

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

std::string_view status_word(EventKind kind) {
    switch (kind) {
        case EventKind::delivered:
            return "sent";
        case EventKind::deferred:
            return "deferred";
        default:
            return "bounced";
    }
}

double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

}  // namespace

Task<void> Dispatcher::connection(std::string lane) {
    auto const found = routes_.find(lane);
    MILLRACE_CHECK(found != routes_.end());
    if (auto const* const no_route = std::get_if<NoRoute>(&found->second)) {
        auto const outcome = *no_route;
        co_await turn_away(std::move(lane), outcome);
        co_return;
    }
    auto const route = std::get<Route>(found->second);
    CourierOptions options;
    options.hostname = settings_->relay.hostname;
    auto const sources = Sources::from(settings_->relay);
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
    while (auto pick = scheduler_.next(lane, ~0U, parts_.clock.now()).pick) {
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
    scheduler_.idle_ended(lane);
    scheduler_.connection_closed(lane, parts_.clock.now());
    poke();
}

Task<void> Dispatcher::unreachable(std::string lane, Opened opened, Time began) {
    auto const now = parts_.clock.now();
    if (opened.ours && !stopping_) {
        // The mail has had no attempt, and the operator is who can change it.
        parts_.log.warning("delivery.cannot-send", {{"site", lane}, {"why", opened.text}});
        parts_.on_problem("delivery.cannot-send", opened.text);
        scheduler_.not_tried(
            lane, now + our_trouble_pause, "it waits for this machine: " + opened.text, now);
        co_return;
    }
    if (opened.refused || opened.ours || stopping_) {
        scheduler_.not_tried(
            lane, now + not_ours_pause, "this machine may not send for it at the moment", now);
        co_return;
    }
    parts_.log.info("delivery.unreachable",
                    {{"site", lane}, {"host", opened.host}, {"why", opened.line()}});
    bool const stands = scheduler_.standing(lane) > 0;
    if (holds_back(opened.blame()) || (opened.hung_up && stands)) {
        // It spoke of us, not of the mail: no attempt is spent.
        Answer answer;
        answer.typed = opened.typed;
        answer.said = opened.line();
        answer.began = began;
        answer.silent = opened.hung_up;
        log_limit(lane, answer);
        scheduler_.not_greeted(lane, answer, now);
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
                outcome.kind == OutcomeKind::bounced && outcome.blame() == Blame::recipient,
                now);
        }
        bool const silent = outcome.hung_up && outcome.phase == Phase::mail;
        if (told || !(holds_back(outcome.blame()) || silent || puzzling(outcome))) continue;
        // Recipients of one transaction are refused together; it counts once.
        told = true;
        answer.typed = outcome.typed;
        answer.said = outcome.line();
        answer.silent = silent;
        log_limit(pick.lane, answer);
        scheduler_.refused(pick.lane, answer, now);
    }
    if (passed) scheduler_.passed(pick.lane, answer, now);
}

/// Greylisted works are tried again when the site is known to take them; returns them as they will
/// stand on disk.
std::vector<Work> Dispatcher::put_off(const Pick& pick,
                                      const std::vector<RecipientOutcome>& outcomes,
                                      Batch& batch,
                                      Time now) {
    std::vector<Work> greylisted;
    for (auto& change : batch.change) {
        auto const at = std::ranges::find(pick.works, change.work.key, &Work::key);
        auto const& outcome = outcomes[static_cast<std::size_t>(at - pick.works.begin())];
        if (outcome.blame() != Blame::greylist) continue;
        auto const due = greylist_.again(pick.site, change.work.first_tried, now, change.work.due);
        // Never beyond the last try before its expiry.
        if (due < rules_.retry.expiry(change.work.born) - 1min) change.work.due = due;
        greylisted.push_back(change.work);
        greylisted.back().version = change.version + 1;
    }
    return greylisted;
}

Task<void> Dispatcher::settle_attempt(
    Pick pick, Loaded loaded, std::vector<RecipientOutcome> outcomes, Time began, unsigned use) {
    auto const now = parts_.clock.now();
    auto settlement =
        settle(loaded.envelope, pick.site, pick.works, outcomes, rules_, now, parts_.random);
    auto const note_attempt = [&](Event& event) {
        event.took = now - began;
        event.connection_use = static_cast<std::uint16_t>(std::min(use, 0xFFFFU));
    };
    for (auto& done : settlement.batch.finish) {
        note_attempt(done.event);
    }
    for (auto& change : settlement.batch.change) {
        note_attempt(*change.event);
    }
    auto const greylisted = put_off(pick, outcomes, settlement.batch, now);
    settlement.batch.append = notifications(loaded, settlement.notices);
    bool const kept = co_await keep(std::move(settlement.batch), loaded, began);
    if (!kept) {
        co_return;
    }
    for (auto const& work : greylisted) {
        scheduler_.park(pick.site, work);
    }
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        auto const first = pick.works[i].first_tried;
        if (outcomes[i].kind != OutcomeKind::delivered || first == Time{}) continue;
        if (auto const wait = greylist_.passed(pick.site, first, now)) {
            parts_.log.info("lane.greylist",
                            {{"site", pick.site}, {"takes_after", to_human(*wait)}});
            scheduler_.release(pick.site, *wait, now);
        }
    }
    if (!settlement.untouched.empty()) {
        pick.works = std::move(settlement.untouched);
        scheduler_.put_back(std::move(pick), now);
    }
    for (auto const& notice : settlement.notices) {
        if (!is_double_bounce(loaded.envelope, notice)) continue;
        double_bounces_.add();
        parts_.log.warning(
            "delivery.double-bounce",
            {{"queue_id", loaded.envelope.id.text()},
             {"to", "<" + notice.recipient.address + ">"},
             {"why", notice.diagnostic.empty() ? notice.reason : notice.diagnostic}});
    }
    poke();
}

/// Stored bytes that cannot be read are never sent and never thrown away: held, for the operator.
Task<void> Dispatcher::set_aside(Pick pick, Failure why) {
    auto const now = parts_.clock.now();
    if (why.fault == Fault::not_found) {
        // Finished by someone else meanwhile.
        for (auto const& work : pick.works) {
            scheduler_.finished(work.key);
        }
        co_return;
    }
    parts_.log.error("spool.damaged-message",
                     {{"queue_id", pick.message.text()}, {"why", why.detail}});
    Batch batch;
    for (auto const& work : pick.works) {
        auto next = work;
        next.held = why.fault == Fault::corrupt;
        next.due = now + 5min;
        next.last_reply = why.detail;
        batch.change.push_back({work.version, std::move(next), std::nullopt});
    }
    auto const changes = batch.change;
    if (!co_await commit(std::move(batch))) {
        co_return;
    }
    for (auto const& change : changes) {
        scheduler_.deferred(change.work);
    }
}

void Dispatcher::log_limit(const std::string& lane, const Answer& answer) {
    parts_.log.info("lane.limited",
                    {{"site", lane},
                     {"limit", answer.silent ? "silence" : to_string(answer.typed.blame)},
                     {"axis", to_string(answer.typed.axis)},
                     {"message", answer.use},
                     {"reply", answer.said}});
}

Task<void> Dispatcher::keep_learned() {
    while (!broken_) {
        co_await parts_.clock.sleep(learned_kept_every);
        scheduler_.forget(parts_.clock.now());
        co_await write_learned();
    }
}

Task<void> Dispatcher::write_learned() {
    for (auto& [share, note] : scheduler_.unsaved()) {
        auto name = share_note(share);
        auto value = note;
        auto const written = co_await parts_.spool.put_note(std::move(name), std::move(value));
        if (!written) {
            parts_.log.warning("lane.learned-not-kept",
                               {{"share", share}, {"why", written.error().detail}});
        }
    }
}

/// One line per recipient and attempt, with the fields that Postfix has taught operators to look
/// for.
void Dispatcher::log_attempt(const Event& event, const Loaded& loaded, Time began) {
    auto const now = parts_.clock.now();
    auto const delay = seconds(now - loaded.envelope.born);
    auto const waited = seconds(began - loaded.envelope.received);
    auto const status = fmt::format(
        "{} ({})",
        status_word(event.kind),
        event.smtp_code != 0
            ? fmt::format("{} {} {}", event.smtp_code, event.enhanced_status, event.reason)
            : event.reason);
    parts_.log.info("delivery." + to_string(event.kind),
                    {{"queue_id", event.message.text()},
                     {"mta_queue_id", event.mta_queue_id},
                     {"to", "<" + event.recipient + ">"},
                     {"relay", event.remote_mta.empty() ? "none" : event.remote_mta},
                     {"site", event.site},
                     {"delay", fmt::format("{:.3g}", delay)},
                     {"delays",
                      fmt::format("{:.3g}/{:.3g}/0/{:.3g}",
                                  std::max(0.0, delay - waited - seconds(now - began)),
                                  waited,
                                  seconds(now - began))},
                     {"attempt", event.attempt},
                     {"dsn", event.enhanced_status.empty() ? "-" : event.enhanced_status},
                     {"status", status}});
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
    if (!broken_) co_await write_learned();
}

}  // namespace millrace::relay
