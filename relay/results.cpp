// The part of the dispatcher that makes results durable, and what is told of them.
#include <algorithm>

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

}  // namespace

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

}  // namespace millrace::relay
