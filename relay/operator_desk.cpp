#include "relay/operator_desk.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "common/config/program.hpp"
#include "relay/settlement.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t problems_kept = 3;
constexpr std::size_t troubled_shown = 100;
constexpr unsigned count_page = 1'000;

std::string in(Time when, Time now) {
    return when <= now ? "now" : "in " + to_human(when - now);
}

DestinationStatus describe(const DestinationSummary& summary,
                           const DestinationView* view,
                           Time now) {
    DestinationStatus d;
    d.destination = summary.destination;
    d.queued = summary.count;
    d.held = summary.held;
    d.oldest = summary.oldest;
    d.next_due = summary.next_due;
    if (summary.count == 0 && summary.held > 0) {
        d.state = DestinationStatus::State::held;
        d.why = "held by an operator: millrace release";
        return d;
    }
    if (view != nullptr) {
        d.site = view->site;
        d.connections = view->connections;
        if (view->in_flight > 0) {
            d.state = DestinationStatus::State::sending;
            return d;
        }
        if (!view->wait_reason.empty()) {
            d.why = view->wait_reason;
            d.state = view->wait_until > now ? DestinationStatus::State::paused
                                             : DestinationStatus::State::waiting;
            if (view->wait_until > now) {
                d.until = view->wait_until;
            }
            return d;
        }
    }
    if (summary.next_due > now) {
        d.state = DestinationStatus::State::waiting;
        d.why = "next attempt " + in(summary.next_due, now);
    } else {
        d.state = DestinationStatus::State::sending;
    }
    return d;
}

}  // namespace

OperatorDesk::OperatorDesk(Parts parts, std::string hostname)
    : parts_(std::move(parts)), hostname_(std::move(hostname)), started_(parts_.clock.now()) {}

void OperatorDesk::problem(std::string what, std::string detail) {
    // What goes on is one problem, not many.
    std::erase_if(problems_, [&](auto const& p) { return p.what == what && p.detail == detail; });
    problems_.push_front({parts_.clock.now(), std::move(what), std::move(detail)});
    if (problems_.size() > problems_kept) {
        problems_.pop_back();
    }
}

void OperatorDesk::count_events(const std::vector<Event>& events) {
    for (auto const& event : events) {
        switch (event.kind) {
            case EventKind::received:
                ++received_;
                break;
            case EventKind::delivered:
                ++delivered_;
                break;
            case EventKind::deferred:
                ++deferred_;
                break;
            case EventKind::bounced:
            case EventKind::expired:
                ++bounced_;
                break;
            default:
                break;
        }
    }
}

SpoolHealth OperatorDesk::health() const {
    return parts_.spool.health();
}

Task<Result<Status>> OperatorDesk::status() {
    Status s;
    auto const health = parts_.spool.health();
    s.version = std::string(config::version());
    s.hostname = hostname_;
    s.started = started_;
    s.accepting = health.accepting;
    s.why_not = health.why;
    s.loading = parts_.dispatcher.loading();
    s.queued = health.queued;
    s.oldest = health.oldest;
    s.free_bytes = health.free_bytes;
    s.sessions = parts_.sessions();
    s.waiting = parts_.waiting();
    s.deliveries = static_cast<unsigned>(parts_.dispatcher.deliveries());
    s.received = received_;
    s.delivered = delivered_;
    s.deferred = deferred_;
    s.bounced = bounced_;
    s.problems.assign(problems_.begin(), problems_.end());
    auto all = co_await destinations();
    if (!all) {
        co_return std::unexpected(all.error());
    }
    for (auto& d : *all) {
        s.held += d.held;
        bool const troubled = d.held > 0 || d.state == DestinationStatus::State::paused ||
                              d.state == DestinationStatus::State::waiting;
        if (troubled) {
            s.troubled.push_back(std::move(d));
        }
    }
    std::ranges::sort(s.troubled, [](const DestinationStatus& l, const DestinationStatus& r) {
        return std::pair(r.queued + r.held, l.destination) <
               std::pair(l.queued + l.held, r.destination);
    });
    if (s.troubled.size() > troubled_shown) {
        s.troubled.resize(troubled_shown);
    }
    co_return s;
}

Task<Result<std::vector<DestinationStatus>>> OperatorDesk::destinations() {
    auto const summaries = co_await parts_.spool.summary();
    if (!summaries) {
        co_return std::unexpected(summaries.error());
    }
    auto const now = parts_.clock.now();
    std::vector<DestinationStatus> out;
    out.reserve(summaries->size());
    for (auto const& summary : *summaries) {
        auto const view = parts_.dispatcher.scheduler().destination(summary.destination, now);
        auto d = describe(summary, view ? &*view : nullptr, now);
        if (d.state != DestinationStatus::State::sending && out.size() < troubled_shown) {
            WorkFilter filter;
            filter.destination = summary.destination;
            auto const one = co_await parts_.spool.find(std::move(filter), {}, 1);
            if (one && !one->empty()) {
                d.last_reply = one->front().last_reply;
                d.last_host = one->front().last_host;
            }
        }
        out.push_back(std::move(d));
    }
    co_return out;
}

Task<Result<std::vector<QueuedRecipient>>> OperatorDesk::queue(WorkFilter filter,
                                                               WorkKey after,
                                                               unsigned max) {
    auto works = co_await parts_.spool.find(std::move(filter), after, max);
    if (!works) {
        co_return std::unexpected(works.error());
    }
    std::vector<QueuedRecipient> out;
    out.reserve(works->size());
    std::optional<Envelope> envelope;
    for (auto& work : *works) {
        if (!envelope || envelope->id != work.key.message) {
            auto read = co_await parts_.spool.envelope(work.key.message);
            if (!read) {
                continue;
            }  // finished between the two readings
            envelope = std::move(*read);
        }
        out.push_back({std::move(work),
                       envelope->sender,
                       envelope->received,
                       envelope->size,
                       envelope->mta_queue_id,
                       envelope->message_id});
    }
    co_return out;
}

Task<Result<Counted>> OperatorDesk::count(WorkFilter filter) {
    Counted counted;
    WorkKey after;
    std::optional<MessageId> last;
    while (true) {
        auto const page = co_await parts_.spool.find(filter, after, count_page);
        if (!page) {
            co_return std::unexpected(page.error());
        }
        for (auto const& work : *page) {
            ++counted.recipients;
            if (last != work.key.message) {
                ++counted.messages;
            }
            last = work.key.message;
        }
        if (page->size() < count_page) {
            co_return counted;
        }
        after = page->back().key;
    }
}

std::string OperatorDesk::why(const Work& work, Time now) const {
    if (work.held) {
        return "held: `millrace release " + work.key.message.text() + "` lets it go";
    }
    if (parts_.dispatcher.scheduler().in_flight(work.key)) {
        return "being delivered now";
    }
    auto const view = parts_.dispatcher.scheduler().destination(work.destination, now);
    if (work.due > now) {
        return fmt::format(
            "next attempt {} ({})",
            in(work.due, now),
            work.last_reply.empty() ? std::string("not tried yet") : work.last_reply);
    }
    if (view && !view->wait_reason.empty()) {
        return view->wait_until > now
                   ? fmt::format("{}, until {}", view->wait_reason, to_rfc3339(view->wait_until))
                   : view->wait_reason;
    }
    return "due; its turn comes within the limits of the destination";
}

Task<Result<MessageReport>> OperatorDesk::show(MessageId id) {
    MessageReport report;
    report.id = id;
    auto history = co_await parts_.spool.history(id);
    if (!history) {
        co_return std::unexpected(history.error());
    }
    report.history = std::move(*history);
    auto mail = co_await parts_.spool.mail(id);
    if (mail) {
        auto const now = parts_.clock.now();
        for (auto const& work : mail->works) {
            report.why.emplace_back(work.key.index, why(work, now));
        }
        report.mail = std::move(*mail);
    } else if (mail.error().fault != Fault::not_found) {
        co_return std::unexpected(mail.error());
    } else if (report.history.empty()) {
        co_return failure(Fault::not_found,
                          "no message " + id.text() +
                              " in the queue, and the journal does not know it (any more)");
    }
    co_return report;
}

Task<Result<Body>> OperatorDesk::body(MessageId id) {
    return parts_.spool.body(id);
}

Task<Result<void>> OperatorDesk::put_out(Change change,
                                         const Work& work,
                                         Batch& batch,
                                         const std::string& reason) {
    auto const message = work.key.message;
    auto envelope = co_await parts_.spool.envelope(message);
    if (!envelope) {
        co_return std::unexpected(envelope.error());
    }
    auto const now = parts_.clock.now();
    auto const kind = change == Change::remove ? EventKind::removed : EventKind::bounced;
    auto event = event_of(kind, *envelope, work, now);
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
    failed.recipient = envelope->recipients.at(work.key.index);
    failed.status = "5.0.0";
    failed.reason = "The administrator of this mail system has returned the message.";
    if (!work.last_reply.empty()) {
        failed.diagnostic = work.last_reply;
    }
    failed.remote_host = work.last_host;
    DsnContext context{parts_.ids.next(now), hostname_, now, parts_.clock.wall()};
    auto dsn = make_dsn(
        *envelope, body ? std::string_view(**body) : std::string_view(), {&failed, 1}, context);
    if (dsn) {
        batch.append.push_back(std::move(*dsn));
    }
    co_return Result<void>{};
}

Task<Result<Changed>> OperatorDesk::change(
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

Task<Result<std::vector<Event>>> OperatorDesk::events(std::uint64_t after, unsigned max) {
    return parts_.spool.events(after, max);
}

Task<Result<std::vector<std::string>>> OperatorDesk::reload() {
    co_return parts_.reload();
}

}  // namespace millrace::relay
