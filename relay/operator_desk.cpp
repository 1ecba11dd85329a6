#include "relay/operator_desk.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

#include "common/config/program.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t problems_kept = 3;
constexpr std::size_t troubled_shown = 100;
constexpr unsigned count_page = 1'000;
/// A forecast waits no longer for look-ups; what is not known by then is taken for unknown.
constexpr Duration look_up_most = std::chrono::seconds(3);
/// A wait that is over so soon is no pause.
constexpr Duration pause_least = std::chrono::seconds(1);

std::string in(Time when, Time now) {
    return when <= now ? "now" : "in " + to_human(when - now);
}

DestinationStatus describe(const StreamSummary& summary,
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

std::vector<Status::Warming> warming(const Scheduler& scheduler, Time now) {
    std::map<std::string, Status::Warming> all;
    for (auto const& [name, state] : scheduler.shares()) {
        for (auto const& [domain, warm_up] : state.warm_ups) {
            auto const end = warm_up.ends(now);
            if (end == never) continue;
            auto const& source = state.share.source();
            auto& one = all[source];
            one.source = source;
            ++one.receivers;
            one.ends = one.ends == never ? end : std::max(one.ends, end);
        }
    }
    std::vector<Status::Warming> list;
    for (auto& [source, one] : all)
        list.push_back(std::move(one));
    return list;
}

/// The streams of one destination stand together.
std::vector<StreamSummary> by_destination(const std::vector<StreamSummary>& streams) {
    std::vector<StreamSummary> sums;
    for (auto const& stream : streams) {
        if (sums.empty() || sums.back().destination != stream.destination) {
            sums.push_back(stream);
            continue;
        }
        auto& sum = sums.back();
        sum.count += stream.count;
        sum.held += stream.held;
        sum.next_due = std::min(sum.next_due, stream.next_due);
        sum.oldest = std::min(sum.oldest, stream.oldest);
    }
    return sums;
}

}  // namespace

OperatorDesk::OperatorDesk(Parts parts, std::string hostname)
    : parts_(std::move(parts)),
      hostname_(std::move(hostname)),
      started_(parts_.clock.now()),
      changes_({parts_.clock, parts_.spool, parts_.dispatcher, parts_.ids, parts_.on_committed},
               hostname_) {}

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
            case EventKind::delivered: {
                ++delivered_;
                auto const known = parts_.dispatcher.providers().known(event.site);
                auto const& provider = known.empty() ? event.site : known;
                rates_.count(provider, event.at);
                if (parts_.dispatcher.scheduler().limits().sources.sources().size() > 1) {
                    rates_.count(event.source_ip + " " + provider, event.at);
                }
                break;
            }
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

double OperatorDesk::rate_of(const std::string& source,
                             const std::string& provider,
                             Time now) const {
    auto const& sources = parts_.dispatcher.scheduler().limits().sources;
    auto const* const own = sources.find(source);
    if (own == nullptr || sources.sources().size() < 2) return rates_.per_second(provider, now);
    double sum = 0;
    for (auto const& written : own->addresses) {
        boost::system::error_code bad;
        auto const address = boost::asio::ip::make_address(written, bad);
        if (bad) continue;
        // Which address the system chose is not known: it is all the provider takes then.
        if (address.is_unspecified()) return rates_.per_second(provider, now);
        sum += rates_.per_second(address.to_string() + " " + provider, now);
    }
    return sum;
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
    s.books = health.books;
    if (auto const& audit = parts_.last_audit()) {
        s.audited = audit->at;
        s.wrong = audit->wrong;
    }
    s.orders = orders();
    s.problems.assign(problems_.begin(), problems_.end());
    s.alerts = alerts_.current();
    s.warming = warming(parts_.dispatcher.scheduler(), parts_.clock.now());
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
    for (auto const& summary : by_destination(*summaries)) {
        auto const view = parts_.dispatcher.scheduler().destination(summary.destination, now);
        auto d = describe(summary, view ? &*view : nullptr, now);
        if (auto const* const last = parts_.dispatcher.dialogues().of(d.site)) {
            d.last_reply = last->reply;
            d.last_host = last->host;
            d.last_reply_at = last->at;
            d.last_refused = last->refused;
            d.last_refused_at = last->refused_at;
        }
        if (d.last_reply.empty() && d.state != DestinationStatus::State::sending &&
            out.size() < troubled_shown) {
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

Task<Result<Standing>> OperatorDesk::standing(std::vector<std::string> more) {
    auto const summaries = co_await parts_.spool.summary();
    if (!summaries) {
        co_return std::unexpected(summaries.error());
    }
    Standing s;
    s.limits = parts_.dispatcher.limits();
    s.retry = parts_.dispatcher.retry();
    s.idle_connection = parts_.dispatcher.idle_connection();
    auto const& scheduler = parts_.dispatcher.scheduler();
    auto const now = parts_.clock.now();
    for (auto const& summary : *summaries) {
        Standing::Queue queue;
        queue.stream = summary.stream;
        queue.count = summary.count;
        queue.held = summary.held;
        queue.next_due = summary.next_due;
        queue.oldest = summary.oldest;
        if (auto const view = scheduler.destination(summary.destination, now)) {
            queue.site = view->site;
            queue.provider = view->provider;
        }
        auto const key = parse_stream(summary.stream);
        OrderSubject subject;
        subject.destination = key.destination;
        subject.site = queue.site;
        subject.provider = queue.provider;
        subject.account = key.account;
        subject.sender_domain = key.sender_domain;
        subject.received = summary.oldest;
        if (auto const* const order = scheduler.orders().held(subject, now)) {
            queue.why = order->sentence();
            if (order->until == never) {
                queue.held += std::exchange(queue.count, 0);
            } else {
                queue.wait_until = order->until;
            }
            s.queues.push_back(std::move(queue));
            continue;
        }
        // What the share has learned goes along with it; this is the lane's own.
        if (auto const wait = scheduler.shut_out(summary.stream, now);
            wait.any() && wait.until != never && wait.until > now + pause_least) {
            queue.wait_until = wait.until;
            queue.why = wait.reason;
        }
        s.queues.push_back(std::move(queue));
    }
    for (auto& name : more) {
        Standing::Queue queue;
        queue.stream = std::move(name);
        s.queues.push_back(std::move(queue));
    }
    co_await look_up(s);
    for (auto const& [name, state] : scheduler.shares()) {
        s.shares.push_back({state.share.source(), state.share.provider(), state.share.kept()});
    }
    s.now = parts_.clock.now();
    co_return s;
}

Task<void> OperatorDesk::look_up(Standing& standing) {
    auto const until = parts_.clock.now() + look_up_most;
    const Standing::Queue* before = nullptr;
    for (auto& queue : standing.queues) {
        auto name = parse_stream(queue.stream).destination;
        if (queue.site.empty() && before != nullptr &&
            parse_stream(before->stream).destination == name) {
            queue.site = before->site;
            queue.provider = before->provider;
        }
        before = &queue;
        if (!queue.site.empty() || parts_.clock.now() >= until) continue;
        auto const place = co_await parts_.dispatcher.whereabouts(std::move(name));
        queue.site = place.site;
        queue.provider = place.provider;
        if (!place.why.empty()) queue.why = place.why;
    }
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
    if (auto const* const order = order_on(work, now)) {
        return order->until == never
                   ? order->sentence()
                   : fmt::format(
                         "{}, or wait until {}", order->sentence(), to_rfc3339(order->until));
    }
    auto const view = parts_.dispatcher.scheduler().destination(work.destination, now);
    if (work.due > now) {
        return fmt::format(
            "next attempt {} ({})",
            in(work.due, now),
            work.last_reply.empty() ? std::string("not tried yet") : work.last_reply);
    }
    if (view && !view->wait_reason.empty()) {
        return view->wait_until > now && view->wait_until != never
                   ? fmt::format("{}, until {}", view->wait_reason, to_rfc3339(view->wait_until))
                   : view->wait_reason;
    }
    return "due; its turn comes within the limits of the destination";
}

const Order* OperatorDesk::order_on(const Work& work, Time now) const {
    auto const& scheduler = parts_.dispatcher.scheduler();
    auto const view = scheduler.destination(work.destination, now);
    OrderSubject subject;
    subject.destination = work.destination;
    subject.site = view ? std::string_view(view->site) : std::string_view();
    subject.account = work.account;
    subject.sender_domain = work.sender_domain;
    subject.received = work.key.message.made_at();
    return scheduler.orders().held(subject, now);
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

Task<Result<Changed>> OperatorDesk::change(
    Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason) {
    return changes_.make(change, std::move(filter), after, max, std::move(reason));
}

Task<Result<void>> OperatorDesk::order(Order order) {
    return parts_.dispatcher.order(std::move(order));
}

Task<Result<void>> OperatorDesk::lift(OrderTarget target) {
    return parts_.dispatcher.lift(std::move(target));
}

Task<Result<void>> OperatorDesk::split(std::string site, bool alone) {
    return parts_.dispatcher.split(std::move(site), alone);
}

Task<Result<void>> OperatorDesk::mark_warm(std::string source) {
    return parts_.dispatcher.mark_warm(std::move(source));
}

std::vector<Order> OperatorDesk::orders() const {
    auto all = parts_.dispatcher.orders().list();
    auto const now = parts_.clock.now();
    std::erase_if(all, [&](const Order& order) { return order.until <= now; });
    return all;
}

Task<Result<WorkFilter>> OperatorDesk::filter_of(OrderTarget target) {
    WorkFilter filter;
    switch (target.axis) {
        case OrderAxis::all:
            co_return filter;
        case OrderAxis::destination:
            filter.destination = target.name;
            co_return filter;
        case OrderAxis::account:
            filter.account = target.name;
            co_return filter;
        case OrderAxis::sender_domain:
            filter.sender_domain = target.name;
            co_return filter;
        case OrderAxis::source:
            co_return failure(Fault::invalid,
                              "mail that waits belongs to no source yet; name a destination, an "
                              "account or a sender's domain (from:DOMAIN)");
        case OrderAxis::site:
        case OrderAxis::provider:
            break;
    }
    auto const now = parts_.clock.now();
    for (auto& view : parts_.dispatcher.scheduler().destinations(now)) {
        auto const& name = target.axis == OrderAxis::site ? view.site : view.provider;
        if (name == target.name) filter.destinations.insert(std::move(view.destination));
    }
    if (filter.destinations.empty()) {
        co_return failure(Fault::not_found,
                          "no destination with mail is known to be behind " + target.text());
    }
    co_return filter;
}

Task<Result<std::vector<Event>>> OperatorDesk::events(std::uint64_t after, unsigned max) {
    return parts_.spool.events(after, max);
}

Task<Result<std::vector<std::string>>> OperatorDesk::reload() {
    co_return parts_.reload();
}

}  // namespace millrace::relay
