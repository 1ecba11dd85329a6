#include "relay/queue_changes.hpp"

#include <algorithm>

#include "relay/feedback/dsn.hpp"
#include "relay/settlement.hpp"

namespace millrace::relay {

Task<Result<void>> QueueChanges::put_out(Change change,
                                         const Work& work,
                                         Batch& batch,
                                         const std::string& reason) {
    auto const message = work.key.message;
    auto const mail = co_await parts_.spool.mail(message);
    if (!mail) {
        co_return std::unexpected(mail.error());
    }
    // Between the search and the claim it may have been delivered: then nobody is told it was not.
    auto const there = std::ranges::find(mail->works, work.key, &Work::key);
    if (there == mail->works.end() || there->version != work.version) {
        co_return failure(Fault::not_found, "it has changed meanwhile");
    }
    auto const& envelope = mail->envelope;
    auto const now = parts_.clock.now();
    auto const kind = change == Change::remove ? EventKind::removed : EventKind::bounced;
    auto event = event_of(kind, envelope, work, now);
    event.reason = reason;
    if (change == Change::bounce) {
        event.enhanced_status = "5.0.0";
    }
    batch.finish.push_back({work.key, work.version, event});
    if (change == Change::remove) {
        co_return Result<void>{};
    }

    auto const body = co_await parts_.spool.body(message);
    DsnRecipient failed;
    failed.recipient = envelope.recipients.at(work.key.index);
    failed.status = "5.0.0";
    failed.reason = "The administrator of this mail system has returned the message.";
    if (!work.last_reply.empty()) {
        failed.diagnostic = work.last_reply;
    }
    failed.remote_host = work.last_host;
    DsnContext context{parts_.ids.next(now), hostname_, now, parts_.clock.wall()};
    auto dsn = make_dsn(
        envelope, body ? std::string_view(**body) : std::string_view(), {&failed, 1}, context);
    if (dsn) {
        batch.append.push_back(std::move(*dsn));
    }
    co_return Result<void>{};
}

Task<Result<Changed>> QueueChanges::make(
    Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason) {
    auto const works = co_await parts_.spool.find(std::move(filter), after, max);
    if (!works) {
        co_return std::unexpected(works.error());
    }
    auto const now = parts_.clock.now();
    Changed changed;
    Batch batch;
    std::vector<Work> claimed;
    std::optional<MessageId> last;
    for (auto const& work : *works) {
        bool const changes = change == Change::hold      ? !work.held
                             : change == Change::release ? work.held
                             : change == Change::retry   ? !work.held && work.due > now
                                                         : true;
        if (!changes || !parts_.dispatcher.scheduler().claim(work)) {
            continue;
        }
        claimed.push_back(work);
        if (change == Change::remove || change == Change::bounce) {
            auto const put = co_await put_out(change, work, batch, reason);
            if (!put) {
                parts_.dispatcher.unchanged({work});
                claimed.pop_back();
                continue;
            }
        } else {
            auto next = work;
            next.held = change == Change::hold;
            if (change == Change::retry) {
                next.due = now;
            }
            batch.change.push_back({work.version, std::move(next), std::nullopt});
        }
        ++changed.recipients;
        if (last != work.key.message) {
            ++changed.messages;
        }
        last = work.key.message;
    }
    if (!batch.empty()) {
        auto const applied = batch;
        auto const committed = co_await parts_.spool.commit(std::move(batch));
        if (!committed) {
            parts_.dispatcher.unchanged(claimed);
            co_return std::unexpected(committed.error());
        }
        parts_.dispatcher.changed(applied);
        parts_.on_committed(*committed);
    }
    if (works->size() == max) {
        changed.next = works->back().key;
    }
    co_return changed;
}

}  // namespace millrace::relay
