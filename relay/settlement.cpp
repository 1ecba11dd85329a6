#include "relay/settlement.hpp"

#include <utility>

#include "common/base/check.hpp"

namespace millrace::relay {
namespace {

DsnRecipient notice(DsnAction action,
                    const Envelope& envelope,
                    const Work& work,
                    const RecipientOutcome& outcome,
                    Time now) {
    DsnRecipient n;
    n.recipient = envelope.recipients.at(work.key.index);
    n.action = action;
    n.status = outcome.enhanced;
    if (outcome.code != 0) {
        n.diagnostic = outcome.line();
    } else {
        n.reason = outcome.text;
    }
    n.remote_host = outcome.host;
    n.last_attempt = now;
    return n;
}

Event attempt_event(EventKind kind,
                    const Envelope& envelope,
                    const Work& work,
                    const std::string& site,
                    const RecipientOutcome& outcome,
                    Time now) {
    auto event = event_of(kind, envelope, work, now);
    event.attempt = static_cast<std::uint16_t>(work.attempts + 1);
    event.site = site;
    event.remote_mta = outcome.host;
    event.source_ip = outcome.source_ip;
    event.smtp_code = static_cast<std::uint16_t>(outcome.code);
    event.enhanced_status = outcome.enhanced;
    event.reason = outcome.text;
    event.possible_duplicate = outcome.possible_duplicate;
    return event;
}

/// Of mail that was not tried: what it waits for, else what its last attempt came to.
DsnRecipient waiting_notice(DsnAction action,
                            const Envelope& envelope,
                            const Work& work,
                            const Waited& why) {
    DsnRecipient n;
    n.recipient = envelope.recipients.at(work.key.index);
    n.action = action;
    n.reason = why.reason;
    n.diagnostic = why.said.empty() ? work.last_reply : why.said;
    if (why.said.empty()) n.remote_host = work.last_host;
    return n;
}

}  // namespace

Event event_of(EventKind kind, const Envelope& envelope, const Work& work, Time now) {
    Event event;
    event.kind = kind;
    event.at = now;
    event.message = envelope.id;
    event.recipient_index = work.key.index;
    event.mta_queue_id = envelope.mta_queue_id;
    event.message_id = envelope.message_id;
    event.account = envelope.account;
    event.recipient = work.recipient;
    event.sender = envelope.sender;
    event.klass = envelope.klass == Class::bulk ? "bulk" : "transactional";
    event.tag = envelope.tag;
    event.attempt = work.attempts;
    event.born = envelope.born;
    return event;
}

Settlement settle(const Envelope& envelope,
                  const std::string& site,
                  std::span<const Work> works,
                  std::span<const RecipientOutcome> outcomes,
                  const SettlementRules& rules,
                  Time now,
                  Random& random) {
    MILLRACE_CHECK(works.size() == outcomes.size());
    Settlement result;
    for (std::size_t i = 0; i < works.size(); ++i) {
        auto const& work = works[i];
        auto const& outcome = outcomes[i];
        auto finish = [&](EventKind kind, DsnAction action) {
            result.batch.finish.push_back(
                {work.key, work.version, attempt_event(kind, envelope, work, site, outcome, now)});
            result.notices.push_back(notice(action, envelope, work, outcome, now));
        };
        if (outcome.kind == OutcomeKind::delivered) {
            // We never deliver into a mailbox: where the next server cannot report success, the
            // last word we have is `relayed` (RFC 3461 §5.2.2).
            finish(EventKind::delivered, DsnAction::relayed);
            // Who passed the wish on is not asked twice: the next server reports its own success.
            if (outcome.dsn_passed_on) {
                result.notices.pop_back();
            }
            continue;
        }
        if (outcome.kind == OutcomeKind::bounced) {
            finish(EventKind::bounced, DsnAction::failed);
            continue;
        }
        if ((outcome.untried || spends_nothing(outcome.typed)) && !rules.retry.expired(now, work.born)) {
            result.untouched.push_back(work);
            continue;
        }
        auto const again =
            rules.retry.next(work.attempts + 1U, now, work.born, random, outcome.typed.pause);
        if (!again) {
            finish(EventKind::expired, DsnAction::failed);
            // RFC 3463 §3.5: delivery time expired.
            result.notices.back().status = "4.4.7";
            continue;
        }
        auto next = work;
        next.due = *again;
        ++next.attempts;
        if (next.first_tried == Time{}) {
            next.first_tried = now;
        }
        next.last_reply = outcome.line();
        next.last_host = outcome.host;
        if (!next.delay_told && now - work.born >= rules.delay_notice_after) {
            next.delay_told = true;
            result.notices.push_back(notice(DsnAction::delayed, envelope, work, outcome, now));
            result.notices.back().retry_until = rules.retry.expiry(work.born);
        }
        result.batch.change.push_back(
            {work.version,
             std::move(next),
             attempt_event(EventKind::deferred, envelope, work, site, outcome, now)});
    }
    return result;
}

Settlement settle_expired(const Envelope& envelope,
                          std::span<const Work> works,
                          const std::map<WorkKey, Waited>& whys,
                          Time now) {
    Settlement result;
    for (auto const& work : works) {
        auto const& why = whys.at(work.key);
        auto event = event_of(EventKind::expired, envelope, work, now);
        event.attempt = 0;
        event.site = why.site;
        event.enhanced_status = "4.4.7";
        event.reason = why.said.empty() ? why.reason : why.reason + ": " + why.said;
        result.batch.finish.push_back({work.key, work.version, std::move(event)});
        result.notices.push_back(waiting_notice(DsnAction::failed, envelope, work, why));
        // RFC 3463 §3.5: delivery time expired.
        result.notices.back().status = "4.4.7";
    }
    return result;
}

Settlement settle_delay(const Envelope& envelope,
                        std::span<const Work> works,
                        const std::map<WorkKey, Waited>& whys,
                        const SettlementRules& rules,
                        Time now) {
    Settlement result;
    for (auto const& work : works) {
        if (work.delay_told || now - work.born < rules.delay_notice_after) continue;
        auto const& why = whys.at(work.key);
        auto next = work;
        next.delay_told = true;
        result.notices.push_back(waiting_notice(DsnAction::delayed, envelope, work, why));
        result.notices.back().retry_until = rules.retry.expiry(work.born);
        result.batch.change.push_back({work.version, std::move(next), std::nullopt});
    }
    return result;
}

Batch without_notices(Batch& batch) {
    Batch results;
    results.change = std::exchange(batch.change, {});
    std::vector<Batch::Finish> failed;
    for (auto& done : batch.finish) {
        auto& side = done.event.kind == EventKind::delivered ? results.finish : failed;
        side.push_back(std::move(done));
    }
    batch.finish = std::move(failed);
    return results;
}

}  // namespace millrace::relay
