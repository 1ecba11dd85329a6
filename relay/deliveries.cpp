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

/// A receiver that says "too many connections" is asked for a new one after this (design §5:
/// minutes).
constexpr Duration connection_limit_pause = 1min;
/// One that says "too fast" gets this much rest.
constexpr Duration rate_limit_pause = 10min;
/// When this machine may not send for a lane: look again then.
constexpr Duration not_ours_pause = 10s;
/// When a source cannot be sent from (it is no address of this machine): look again then.
constexpr Duration our_trouble_pause = 1min;
/// A spool that refuses a result for the moment is asked again.
constexpr Duration commit_again = 1s;

RecipientOutcome outcome_of(const Opened& opened) {
    RecipientOutcome outcome;
    outcome.kind = opened.kind;
    outcome.phase = opened.phase;
    outcome.code = opened.code;
    outcome.enhanced = opened.enhanced;
    outcome.text = opened.text;
    outcome.host = opened.host;
    outcome.source_ip = opened.source_ip;
    outcome.blame = opened.blame;
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

/// A restart that knows nothing of these results finds them out once more and tells them then. One
/// that knows nothing of a delivery makes it again, and without a deferral it comes too early.
bool only_failures(const Batch& batch) {
    return batch.change.empty() &&
           std::ranges::none_of(batch.finish, [](const Batch::Finish& done) {
               return done.event.kind == EventKind::delivered;
           });
}

double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}

}  // namespace

Task<void> Dispatcher::connection(std::string site) {
    auto const found = routes_.find(site);
    MILLRACE_CHECK(found != routes_.end());
    if (auto const* const no_route = std::get_if<NoRoute>(&found->second)) {
        auto const outcome = *no_route;
        co_await turn_away(std::move(site), outcome);
        co_return;
    }
    auto const route = std::get<Route>(found->second);
    CourierOptions options;
    options.hostname = settings_->relay.hostname;
    options.sources = Sources::from(settings_->relay);
    options.connect_timeout = settings_->relay.delivery.connect_timeout;
    // A broken spool could not keep the outcome: what is sent then would be sent again.
    options.may_send = [this] {
        return !broken_ && !parts_.spool.health().broken;
    };
    auto const courier = std::make_shared<Courier>(
        parts_.network, parts_.clock, parts_.log, readers_, std::move(options));
    std::erase_if(couriers_, [](auto const& weak) { return weak.expired(); });
    couriers_.push_back(courier);

    auto targets = order(route, parts_.random);
    auto const opened = co_await courier->open(route, std::move(targets));
    if (opened.ok) {
        co_await converse(std::move(site), courier);
    } else {
        co_await unreachable(std::move(site), opened);
    }
    poke();
}

Task<void> Dispatcher::converse(std::string site, std::shared_ptr<Courier> courier) {
    unsigned sent = 0;
    bool was_idle = false;
    while (!stopping_) {
        auto pick = scheduler_.next(site, courier->recipients_max(), parts_.clock.now());
        if (!pick) {
            poke();
            if (co_await idle(site)) {
                continue;
            }
            was_idle = true;
            break;
        }
        ++sent;
        bool const again = co_await deliver(*courier, std::move(*pick), sent);
        if (!again || sent >= settings_->relay.delivery.messages_per_connection) {
            break;
        }
    }
    // The slot is ours until the receiver has seen the end: it counts connections too.
    co_await courier->quit();
    leaving_ -= was_idle ? 1 : 0;
    scheduler_.connection_closed(
        site, {.reached = true, .was_idle = false, .reason = {}}, parts_.clock.now());
}

Task<bool> Dispatcher::idle(std::string site) {
    auto const me = std::make_shared<Idle>(parts_.executor);
    me->since = parts_.clock.now();
    idle_[site].push_back(me);
    auto wait = me->signal.wait();
    auto limit = parts_.clock.sleep(settings_->relay.delivery.idle_connection);
    co_await (std::move(wait) || std::move(limit));
    if (me->woken) {
        co_return true;
    }
    auto& waiting = idle_[site];
    std::erase(waiting, me);
    if (waiting.empty()) {
        idle_.erase(site);
    }
    if (!me->dismissed) {
        // At once: while we say goodbye, nobody may wake us any more.
        scheduler_.idle_ended(site);
        ++leaving_;
    }
    co_return false;
}

Task<void> Dispatcher::turn_away(std::string site, NoRoute outcome) {
    while (auto pick = scheduler_.next(site, ~0U, parts_.clock.now())) {
        auto loaded = co_await load(*pick);
        if (!loaded) {
            co_await set_aside(std::move(*pick), loaded.error());
            continue;
        }
        std::vector<RecipientOutcome> outcomes(pick->works.size(), outcome);
        co_await settle_attempt(
            std::move(*pick), std::move(*loaded), std::move(outcomes), parts_.clock.now());
    }
    scheduler_.connection_closed(
        site, {.reached = true, .was_idle = true, .reason = {}}, parts_.clock.now());
    poke();
}

Task<void> Dispatcher::unreachable(std::string site, Opened opened) {
    auto const now = parts_.clock.now();
    bool const ours = opened.refused || opened.ours || stopping_;
    if (opened.ours && !stopping_) {
        // The mail has had no attempt, and the operator is who can change it.
        parts_.log.warning("delivery.cannot-send", {{"site", site}, {"why", opened.text}});
        parts_.on_problem("delivery.cannot-send", opened.text);
        scheduler_.pause(
            site, now + our_trouble_pause, "it waits for this machine: " + opened.text);
    } else if (ours) {
        scheduler_.pause(
            site, now + not_ours_pause, "this machine may not send for it at the moment");
    } else {
        parts_.log.info("delivery.unreachable",
                        {{"site", site}, {"host", opened.host}, {"why", opened.line()}});
        for (auto& pick : scheduler_.take_all(site)) {
            auto loaded = co_await load(pick);
            if (!loaded) {
                co_await set_aside(std::move(pick), loaded.error());
                continue;
            }
            std::vector<RecipientOutcome> outcomes(pick.works.size(), outcome_of(opened));
            co_await settle_attempt(std::move(pick), std::move(*loaded), std::move(outcomes), now);
        }
    }
    bool const limited = is_limit(opened.blame);
    if (limited) {
        limit(site, opened.blame, opened.line());
    }
    scheduler_.connection_closed(
        site,
        {.reached = ours || limited, .was_idle = false, .reason = opened.line()},
        parts_.clock.now());
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

Task<bool> Dispatcher::deliver(Courier& courier, Pick pick, unsigned use) {
    auto const began = parts_.clock.now();
    auto loaded = co_await load(pick);
    if (!loaded) {
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
    auto const site = pick.site;
    bool went_through = false;
    for (auto const& outcome : outcomes) {
        went_through = went_through || outcome.kind == OutcomeKind::delivered;
        if (outcome.kind == OutcomeKind::deferred && is_limit(outcome.blame)) {
            limit(site, outcome.blame, outcome.line());
        }
    }
    co_await settle_attempt(std::move(pick), std::move(*loaded), std::move(outcomes), began, use);
    if (went_through) {
        scheduler_.succeeded(site);
    }
    co_return courier.reusable();
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
    settlement.batch.append = notifications(loaded, settlement.notices);
    bool const kept = co_await keep(std::move(settlement.batch), loaded, began);
    if (!kept) {
        co_return;
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

/// All at once; but a disk that is too full for a notice may have room for what owes nobody one. A
/// delivery that waited with the failure beside it would be made again after a crash.
Task<bool> Dispatcher::keep(Batch batch, const Loaded& loaded, Time began) {
    auto const act = [&](const Batch& done) {
        for (auto const& finish : done.finish) {
            log_attempt(finish.event, loaded, began);
        }
        for (auto const& change : done.change) {
            log_attempt(*change.event, loaded, began);
        }
        changed(done);
    };
    if (batch.empty()) {
        co_return true;
    }
    if (!batch.append.empty()) {
        auto const whole = co_await try_commit(batch);
        if (whole) {
            act(batch);
            co_return true;
        }
        if (whole.error().fault == Fault::full) {
            auto const results = without_notices(batch);
            if (!results.empty()) {
                if (!co_await commit(results)) {
                    co_return false;
                }
                act(results);
            }
        }
    }
    if (!co_await commit(batch)) {
        co_return false;
    }
    act(batch);
    co_return true;
}

Task<Result<void>> Dispatcher::try_commit(const Batch& batch) {
    auto attempt = batch;
    auto const committed = co_await parts_.spool.commit(std::move(attempt));
    if (!committed) {
        auto const fault = committed.error().fault;
        if (fault == Fault::broken || fault == Fault::cancelled) {
            give_up(committed.error().detail);
        }
        co_return std::unexpected(committed.error());
    }
    for (auto const& event : committed->events) {
        if (event.kind == EventKind::delivered) {
            delivered_.add();
        } else if (event.kind == EventKind::deferred) {
            deferred_.add();
        } else if (event.kind == EventKind::bounced || event.kind == EventKind::expired) {
            bounced_.add();
        }
    }
    if (!committed->events.empty()) {
        on_events_(*committed);
    }
    co_return Result<void>{};
}

/// Makes it durable, however long the spool takes; false when it is broken: then the works stay in
/// flight, nothing more is sent, and a restart takes them up again.
Task<bool> Dispatcher::commit(Batch batch) {
    while (!broken_) {
        auto const committed = co_await try_commit(batch);
        if (committed) {
            co_return true;
        }
        if (broken_) {
            break;
        }
        auto const& why = committed.error().detail;
        parts_.log.warning("spool.result-refused", {{"why", why}});
        if (parts_.clock.now() >= stop_by_) {
            // SIGTERM has a deadline too. The works are taken up again at the next start.
            if (batch.finish.empty() && batch.change.empty()) {
                parts_.log.error("spool.notice-lost", {{"why", why}});
            } else if (only_failures(batch)) {
                parts_.log.warning("spool.result-postponed", {{"why", why}});
            } else {
                parts_.log.error("spool.result-lost", {{"why", why}});
            }
            break;
        }
        co_await parts_.clock.sleep(commit_again);
    }
    co_return false;
}

std::vector<NewMail> Dispatcher::notifications(const Loaded& loaded,
                                               const std::vector<DsnRecipient>& notices) {
    std::vector<NewMail> told;
    if (notices.empty()) {
        return told;
    }
    auto const now = parts_.clock.now();
    auto const& relay = settings_->relay;
    DsnContext context{{}, relay.hostname, now, parts_.clock.wall()};
    context.id = parts_.ids.next(now);
    if (auto dsn = make_dsn(loaded.envelope, *loaded.body, notices, context)) {
        told.push_back(std::move(*dsn));
    }
    auto const& wanted = relay.postmaster_copies;
    if (wanted == config::PostmasterCopies{}) {
        return told;
    }
    context.id = parts_.ids.next(now);
    PostmasterWish const wish{relay.postmaster, wanted.bounce, wanted.double_bounce, wanted.delay};
    if (auto copy = make_postmaster_copy(loaded.envelope, *loaded.body, notices, context, wish)) {
        told.push_back(std::move(*copy));
    }
    return told;
}

void Dispatcher::limit(const std::string& site, Blame blame, const std::string& said) {
    auto const now = parts_.clock.now();
    if (blame == Blame::messages_per_connection) {
        return;
    }  // the next connection starts anew
    auto const until =
        now + (blame == Blame::connections ? connection_limit_pause : rate_limit_pause);
    auto reason = "the receiver said: " + said;
    parts_.log.info("lane.limited",
                    {{"site", site},
                     {"limit", to_string(blame)},
                     {"pause", to_human(until - now)},
                     {"reply", said}});
    if (blame == Blame::connections) {
        scheduler_.hold_connections(site, until, std::move(reason));
    } else {
        scheduler_.pause(site, until, std::move(reason));
    }
    work_.spawn(write_pause(site, until));
}

Task<void> Dispatcher::write_pause(std::string site, Time until) {
    auto name = pause_note(site);
    auto value = std::to_string(unix_millis(until));
    auto const written = co_await parts_.spool.put_note(std::move(name), std::move(value));
    if (!written) {
        parts_.log.warning("lane.pause-not-kept",
                           {{"site", site}, {"why", written.error().detail}});
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
}

}  // namespace millrace::relay
