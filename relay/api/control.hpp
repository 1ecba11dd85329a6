#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/net/task.hpp"
#include "relay/api/explanation.hpp"
#include "relay/api/provider_status.hpp"
#include "relay/deliver/trace.hpp"
#include "relay/rehearse/standing.hpp"
#include "relay/schedule/operator_orders.hpp"
#include "relay/spool/event.hpp"
#include "relay/spool/spool.hpp"

/// What an operator may see and do. The control socket and the HTTP pages ask an `Operations`; the
/// relay answers it from its spool and scheduler, the tests from a model. Every time here is of the
/// relay's Clock::now(); the servers turn it into text.
namespace millrace::relay {

/// Something an operator should know about, newest first in lists.
struct Problem {
    Time at{};
    std::string what;    ///< event name, as in the log: `delivery.deferred`, `spool.full`
    std::string detail;  ///< one sentence
};

/// The bare `millrace`.
struct Status {
    std::string version;
    std::string hostname;
    Time started{};
    bool accepting = true;
    std::string why_not;   ///< while not accepting
    bool loading = false;  ///< the backlog is still being read after a restart
    std::uint64_t queued = 0;
    std::uint64_t held = 0;
    Time oldest = never;
    std::uint64_t free_bytes = 0;
    unsigned sessions = 0;    ///< open intake connections
    unsigned waiting = 0;     ///< connections of an MTA in front that are kept waiting
    unsigned deliveries = 0;  ///< open delivery connections
    std::uint64_t received = 0, delivered = 0, deferred = 0, bounced = 0;  ///< since the start
    Books books;                     ///< since the spool was made
    Time audited{};                  ///< when all of it was last counted; zero: not yet
    std::vector<std::string> wrong;  ///< what did not add up then
    std::vector<DestinationStatus>
        troubled;                   ///< paused or held ones, at most 100, most queued first
    std::vector<Problem> problems;  ///< at most 3
    std::vector<Alert> alerts;      ///< what goes on and needs somebody, worst first
    std::vector<Order> orders;      ///< in force: what an operator has paused or drains
    /// Sources that are warmed up, by name.
    struct Warming {
        std::string source;
        unsigned receivers = 0;  ///< where it is not over
        Time ends = never;       ///< of the last one, if every day goes well
    };
    std::vector<Warming> warming;
};

/// One line of the queue.
struct QueuedRecipient {
    Work work;
    std::string sender;
    Time received{};
    std::uint64_t size = 0;
    std::string mta_queue_id, message_id;
};

/// All that is known about one message, finished or not.
struct MessageReport {
    MessageId id;
    std::optional<StoredMail> mail;  ///< none when nothing is left to do
    std::vector<Event> history;      ///< all its events, in order
    /// Why recipient `index` waits, one sentence with a time; for unfinished ones, in their order.
    std::vector<std::pair<std::uint16_t, std::string>> why;
};

enum class Change : std::uint8_t {
    hold,     ///< not due until released
    release,  ///< undoes hold; due as before
    retry,    ///< due now (a pause of the destination still holds: the receiver asked for it)
    remove,   ///< out of the queue with a `removed` event; no one is told
    bounce,   ///< out of the queue with a `bounced` event; the sender gets a DSN
};

/// What one page of a change did.
struct Changed {
    std::uint64_t recipients = 0;
    std::uint64_t messages = 0;   ///< distinct ones within this page
    std::optional<WorkKey> next;  ///< where to go on; none at the end
};

struct Counted {
    std::uint64_t recipients = 0;
    std::uint64_t messages = 0;
};

/// Recipients of one message that one `why` tells of.
constexpr std::size_t recipients_explained = 20;

/// Whose dialogues are to be shown.
struct TraceWish {
    OrderTarget target{OrderAxis::all, {}};
    std::optional<MessageId> message;  ///< in place of the target
};

/// Implemented by the relay. Failures carry one sentence that people are shown.
/// Durable:   when change() returns, its page is committed.
/// Thread:    the loop's; several calls may be under way at once.
class Operations {
  public:
    virtual ~Operations() = default;

    virtual Task<Result<Status>> status() = 0;
    /// Every destination with work, by name.
    virtual Task<Result<std::vector<DestinationStatus>>> destinations() = 0;
    /// Every provider with mail, connections, or something learned, for each of our sources; those
    /// with mail first, most queued first. What is not routed yet is a provider without a name.
    virtual Task<Result<std::vector<ProviderStatus>>> providers() = 0;

    /// Why a message is where it is: one answer for each recipient, unfinished ones first, at most
    /// `recipients_explained`. not_found when neither the spool nor the journal knows it.
    virtual Task<Result<std::vector<Explanation>>> why(MessageId id) = 0;
    /// The same about a destination, a site or a provider. not_found.
    virtual Task<Result<Explanation>> why_destination(std::string name) = 0;
    /// What a forecast starts from: every stream with work, every limit that is known. For each of
    /// `more`, destinations without work of theirs, an empty queue that says where it leads.
    virtual Task<Result<Standing>> standing(std::vector<std::string> more) = 0;

    /// Unfinished recipients that match, in order of (message, index), after `after`; at most max.
    virtual Task<Result<std::vector<QueuedRecipient>>> queue(WorkFilter filter,
                                                             WorkKey after,
                                                             unsigned max) = 0;
    virtual Task<Result<Counted>> count(WorkFilter filter) = 0;
    /// not_found when neither the spool nor the journal knows the id.
    virtual Task<Result<MessageReport>> show(MessageId id) = 0;
    /// The bytes of a message that is not finished. not_found when it is; corrupt.
    virtual Task<Result<Body>> body(MessageId id) = 0;

    /// Applies to the next at most max recipients that match after `after`. `reason` is that of the
    /// events it leaves (`removed by uid 0`).
    virtual Task<Result<Changed>> change(
        Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason) = 0;

    /// A standing order, in force at once and durable when it returns. Failure: invalid, full,
    /// unavailable.
    virtual Task<Result<void>> order(Order order) = 0;
    /// Ends the one for that target. Failure: not_found, unavailable.
    virtual Task<Result<void>> lift(OrderTarget target) = 0;
    /// From now on the site is a receiver of its own (alone), or again whoever's it is found to be.
    /// Failure: not_found: nothing was sent there; unavailable.
    virtual Task<Result<void>> split(std::string site, bool alone) = 0;
    /// Those in force, by target.
    virtual std::vector<Order> orders() const = 0;
    /// What a target means among the mail that waits: the mail's filter. Failure: invalid, when
    /// mail that waits cannot be told by it; not_found, when no destination is known behind it.
    virtual Task<Result<WorkFilter>> filter_of(OrderTarget target) = 0;

    /// One of our sources has a history, by the operator's logs: it is warmed up no more. Durable
    /// when it returns. Failure: not_found (no such source), unavailable.
    virtual Task<Result<void>> mark_warm(std::string source) = 0;

    /// Dialogues with receiving servers from now on, those about the target, or about one message
    /// that waits. Failure: not_found, unavailable (too many listen).
    virtual Task<Result<std::shared_ptr<TraceListener>>> trace(TraceWish wish) = 0;

    /// Events with id > after, in order, at most max.
    virtual Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) = 0;

    /// Reads the configuration file, checks it and swaps it in. A bad file leaves the old one in
    /// force: Failure says why. The value lists what needs a restart to take effect.
    virtual Task<Result<std::vector<std::string>>> reload() = 0;

    /// Cheap and synchronous, for /healthz, /readyz.
    virtual SpoolHealth health() const = 0;
};

}  // namespace millrace::relay
