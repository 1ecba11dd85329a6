#pragma once

#include <algorithm>
#include <map>
#include <set>

#include "relay/api/control.hpp"

namespace millrace::relay {

/// Operations as a model: a queue and a journal in memory, kept by the same rules as the relay's.
class ModelOperations final : public Operations {
  public:
    std::vector<QueuedRecipient> waiting;  ///< in order of (message, index)
    std::vector<Event> journal;
    SpoolHealth state;
    std::string bytes = "Subject: x\r\n\r\ny\r\n";  ///< of every message
    std::vector<std::string> asked_by;
    std::optional<Failure> broken;
    Standing stands;
    std::vector<std::string> restart_needed;
    OperatorOrders given;
    TraceHub hub;
    std::function<void()> on_trace;  ///< somebody begins to watch

    /// Adds a message with so many recipients at one destination.
    MessageId add(std::uint64_t number, unsigned recipients, const std::string& destination) {
        MessageId const id{(1000ULL << 21) + number};
        for (unsigned i = 0; i < recipients; ++i) {
            QueuedRecipient r;
            r.work.key = {id, static_cast<std::uint16_t>(i)};
            r.work.destination = destination;
            r.work.recipient = "r" + std::to_string(i) + "@" + destination;
            r.sender = "s" + std::to_string(number) + "@example.com";
            r.mta_queue_id = "4Postfix" + std::to_string(number);
            r.message_id = "<m" + std::to_string(number) + "@example.com>";
            r.size = 1234;
            waiting.push_back(r);
            note(id, EventKind::received, r);
        }
        return id;
    }

    void note(MessageId id, EventKind kind, const QueuedRecipient& r) {
        Event e;
        e.id = journal.empty() ? 10 : journal.back().id + 1 + journal.size() % 3;  // with gaps
        e.kind = kind;
        e.at = from_unix_millis(1'000'000 + static_cast<std::int64_t>(journal.size()) * 1000);
        e.message = id;
        e.recipient_index = r.work.key.index;
        e.recipient = r.work.recipient;
        e.sender = r.sender;
        e.mta_queue_id = r.mta_queue_id;
        e.message_id = r.message_id;
        journal.push_back(e);
    }

    static bool matches(const WorkFilter& f, const QueuedRecipient& r) {
        return (!f.message || *f.message == r.work.key.message) &&
               (f.destination.empty() || f.destination == r.work.destination) &&
               (f.sender.empty() || f.sender == r.sender) &&
               (f.recipient.empty() || f.recipient == r.work.recipient) &&
               (f.mta_queue_id.empty() || f.mta_queue_id == r.mta_queue_id) &&
               (f.message_id.empty() || f.message_id == r.message_id) &&
               (!f.held || *f.held == r.work.held);
    }

    Task<Result<Status>> status() override {
        if (broken) {
            co_return std::unexpected(*broken);
        }
        Status s;
        s.version = "1.2.3";
        s.hostname = "mail.example.com";
        s.queued = waiting.size();
        s.accepting = state.accepting;
        co_return s;
    }
    Task<Result<Standing>> standing(std::vector<std::string> more) override {
        if (broken) {
            co_return std::unexpected(*broken);
        }
        auto now_standing = stands;
        for (auto& name : more) {
            Standing::Queue queue;
            queue.stream = std::move(name);
            now_standing.queues.push_back(std::move(queue));
        }
        co_return now_standing;
    }
    Task<Result<std::vector<DestinationStatus>>> destinations() override {
        std::map<std::string, DestinationStatus> all;
        for (auto const& r : waiting) {
            auto& d = all[r.work.destination];
            d.destination = r.work.destination;
            ++(r.work.held ? d.held : d.queued);
        }
        std::vector<DestinationStatus> list;
        for (auto& [name, d] : all) {
            list.push_back(d);
        }
        co_return list;
    }
    Task<Result<std::vector<ProviderStatus>>> providers() override {
        auto const found = co_await destinations();
        ProviderStatus p;
        p.provider = "example";
        p.state = "sending";
        p.allowances.push_back({"connections", "5 connections: learned", "learned", {}, "421 many"});
        p.evidence = {"a and b: both are reached at 192.0.2.1"};
        p.destinations = *found;
        for (auto const& d : *found) p.queued += d.queued;
        co_return std::vector{p};
    }
    Task<Result<std::vector<Explanation>>> why(MessageId id) override {
        auto const report = co_await show(id);
        if (!report) co_return std::unexpected(report.error());
        std::vector<Explanation> answers;
        for (auto const& event : report->history) {
            if (event.kind != EventKind::received) continue;
            Explanation e;
            e.id = id;
            e.recipient = event.recipient;
            e.sender = event.sender;
            e.state = report->mail ? "waiting" : "delivered";
            e.answer = "It waits for " + event.recipient + ".";
            e.before = 7;
            answers.push_back(e);
        }
        co_return answers;
    }
    Task<Result<Explanation>> why_destination(std::string name) override {
        for (auto const& r : waiting) {
            if (r.work.destination != name) continue;
            Explanation e;
            e.about = Explanation::About::destination;
            e.destination = name;
            e.state = "waiting";
            e.answer = "Mail waits.";
            co_return e;
        }
        co_return failure(Fault::not_found, "no mail waits for " + name);
    }
    Task<Result<std::vector<QueuedRecipient>>> queue(WorkFilter filter,
                                                     WorkKey after,
                                                     unsigned max) override {
        std::vector<QueuedRecipient> page;
        for (auto const& r : waiting) {
            bool const behind = after.message.value == 0 || r.work.key > after;
            if (behind && matches(filter, r) && page.size() < max) {
                page.push_back(r);
            }
        }
        co_return page;
    }
    Task<Result<Counted>> count(WorkFilter filter) override {
        Counted n;
        std::set<MessageId> messages;
        for (auto const& r : waiting) {
            if (matches(filter, r)) {
                ++n.recipients;
                messages.insert(r.work.key.message);
            }
        }
        n.messages = messages.size();
        co_return n;
    }
    Task<Result<MessageReport>> show(MessageId id) override {
        MessageReport report;
        report.id = id;
        for (auto const& r : waiting) {
            if (r.work.key.message == id) {
                if (!report.mail) {
                    report.mail.emplace();
                    report.mail->envelope.id = id;
                    report.mail->envelope.sender = r.sender;
                }
                report.mail->works.push_back(r.work);
                report.why.emplace_back(r.work.key.index, "the receiver asked us to wait");
            }
        }
        for (auto const& e : journal) {
            if (e.message == id) {
                report.history.push_back(e);
            }
        }
        if (!report.mail && report.history.empty()) {
            co_return failure(Fault::not_found, "no such message");
        }
        co_return report;
    }
    Task<Result<Body>> body(MessageId id) override {
        for (auto const& r : waiting) {
            if (r.work.key.message == id) {
                co_return std::make_shared<const std::string>(bytes);
            }
        }
        co_return failure(Fault::not_found, "no such message");
    }
    Task<Result<Changed>> change(Change change,
                                 WorkFilter filter,
                                 WorkKey after,
                                 unsigned max,
                                 std::string reason) override {
        asked_by.push_back(reason);
        Changed done;
        std::set<MessageId> messages;
        std::vector<QueuedRecipient> left;
        for (auto& r : waiting) {
            bool const behind = after.message.value == 0 || r.work.key > after;
            if (!behind || !matches(filter, r) || done.recipients == max) {
                left.push_back(r);
                continue;
            }
            ++done.recipients;
            messages.insert(r.work.key.message);
            last_ = r.work.key;
            if (change == Change::remove || change == Change::bounce) {
                note(r.work.key.message,
                     change == Change::remove ? EventKind::removed : EventKind::bounced,
                     r);
                continue;
            }
            r.work.held = change == Change::hold || (r.work.held && change != Change::release);
            left.push_back(r);
        }
        waiting = std::move(left);
        done.messages = messages.size();
        if (done.recipients == max) {
            done.next = last_;
        }
        co_return done;
    }
    Task<Result<void>> order(Order order) override { co_return given.give(order, Time{}); }
    Task<Result<void>> split(std::string, bool) override {
        co_return failure(Fault::not_found, "no mail was sent anywhere");
    }
    Task<Result<void>> lift(OrderTarget target) override {
        if (!given.lift(target)) {
            co_return failure(Fault::not_found, "no such order");
        }
        co_return Result<void>{};
    }
    std::vector<Order> orders() const override { return given.list(); }
    Task<Result<WorkFilter>> filter_of(OrderTarget target) override {
        WorkFilter filter;
        if (target.axis == OrderAxis::destination) {
            filter.destination = target.name;
        } else if (target.axis == OrderAxis::account) {
            filter.account = target.name;
        } else {
            co_return failure(Fault::not_found, "nothing is behind " + target.text());
        }
        co_return filter;
    }
    Task<Result<void>> mark_warm(std::string source) override {
        if (source != "out1") co_return failure(Fault::not_found, source + " is no source");
        warm.push_back(source);
        co_return Result<void>{};
    }
    Task<Result<std::shared_ptr<TraceListener>>> trace(TraceWish wish) override {
        auto listener = hub.listen([wish](const TraceLine& line) {
            return wish.message ? line.load.message == *wish.message
                                : line.load.destination == wish.target.name;
        });
        if (on_trace) {
            on_trace();
        }
        co_return listener;
    }
    Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) override {
        std::vector<Event> page;
        for (auto const& e : journal) {
            if (e.id > after && page.size() < max) {
                page.push_back(e);
            }
        }
        co_return page;
    }
    Task<Result<std::vector<std::string>>> reload() override {
        if (broken) {
            co_return std::unexpected(*broken);
        }
        co_return restart_needed;
    }
    SpoolHealth health() const override { return state; }

    std::vector<std::string> warm;  ///< marked so

  private:
    WorkKey last_;
};

}  // namespace millrace::relay
