// The part of the dispatcher that makes of the outcomes of an attempt what is durable, and what is told.
#include <algorithm>
#include <fmt/format.h>

#include "relay/dispatcher.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// A spool that refuses a result for the moment is asked again.
constexpr Duration commit_again = 1s;

/// A restart that knows nothing of these results finds them out once more and tells them then. One
/// that knows nothing of a delivery makes it again, and without a deferral it comes too early.
bool only_failures(const Batch& batch) {
    return batch.change.empty() &&
           std::ranges::none_of(batch.finish, [](const Batch::Finish& done) {
               return done.event.kind == EventKind::delivered;
           });
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

}  // namespace

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
        auto const due = greylist_.again(pick.site,
                                         change.work.first_tried,
                                         now,
                                         change.work.due,
                                         now + outcome.typed.pause);
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
            unsaved_sites_.insert(pick.site);
            scheduler_.release(pick.site, *wait, now);
        }
    }
    if (!settlement.untouched.empty()) {
        pick.works = std::move(settlement.untouched);
        scheduler_.put_back(std::move(pick), now);
    }
    tell_double_bounces(loaded.envelope, settlement.notices);
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

void Dispatcher::tell_double_bounces(const Envelope& envelope,
                                     const std::vector<DsnRecipient>& notices) {
    for (auto const& notice : notices) {
        if (!is_double_bounce(envelope, notice)) continue;
        double_bounces_.add();
        parts_.log.warning(
            "delivery.double-bounce",
            {{"queue_id", envelope.id.text()},
             {"to", "<" + notice.recipient.address + ">"},
             {"why", notice.diagnostic.empty() ? notice.reason : notice.diagnostic}});
    }
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
    if (wanted != config::PostmasterCopies{}) {
        context.id = parts_.ids.next(now);
        PostmasterWish const wish{
            relay.postmaster, wanted.bounce, wanted.double_bounce, wanted.delay};
        if (auto copy =
                make_postmaster_copy(loaded.envelope, *loaded.body, notices, context, wish)) {
            told.push_back(std::move(*copy));
        }
    }
    for (auto& notice : told)
        assign_slots(notice.works, scheduler_.limits().sources);
    return told;
}

}  // namespace millrace::relay
