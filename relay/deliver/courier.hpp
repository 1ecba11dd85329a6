#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/task_group.hpp"
#include "relay/deliver/outcome.hpp"
#include "relay/deliver/route.hpp"
#include "relay/deliver/sources.hpp"
#include "relay/deliver/transcript.hpp"
#include "relay/shaping/rule_book.hpp"
#include "relay/spool/message.hpp"

namespace millrace::relay {

class Conversation;

/// Everything the receiving server is to be told about one message for one destination.
struct Transaction {
    std::string sender;                 ///< empty: the null sender
    std::vector<Recipient> recipients;  ///< of one destination domain; not empty
    Body body;
    BodyType body_type = BodyType::seven_bit;
    bool smtputf8 = false;
    std::string ret, envid;  ///< passed on unchanged where DSN is offered
    TraceLoad label;         ///< what the transcript says of it
};

/// What stands still for all couriers.
struct CourierOptions {
    std::string hostname;  ///< for EHLO, where the source has none of its own
    Duration connect_timeout = std::chrono::seconds(30);
    Sources sources;  ///< where from; a target that they do not reach is not tried
    /// What refusals mean, and whose rules hold here; never null.
    std::shared_ptr<const RuleBook> rules = shipped_book();
    std::string provider;
    /// Whether this machine may still send for the lane (design §8); asked before connecting,
    /// before MAIL and before the final dot. Empty: always.
    std::function<bool()> may_send;
    std::shared_ptr<Transcript> transcript;  ///< may be none
};

/// One SMTP conversation with a receiving server: open, then any number of transactions, then quit
/// or abort. Written as the transcript reads: greet, hello, secure, authenticate, send.
///
/// Failure:   an outcome, never an exception and never a Failure.
/// Cancelled: abort() ends what is waiting; a transaction under way then ends deferred.
/// Thread:    the loop's; one call at a time (abort() at any time).
class Courier {
  public:
    /// conversations: where the connection's reader runs until the connection is closed; must
    /// outlive it. network, clock and log must outlive the courier.
    Courier(
        Network& network, Clock& clock, Log& log, TaskGroup& conversations, CourierOptions options);
    ~Courier();
    Courier(const Courier&) = delete;
    Courier& operator=(const Courier&) = delete;

    /// Tries the targets in order until one has greeted us, secured the connection as the route
    /// demands and let us in. Level `may`: a failed handshake is followed by one more connection to
    /// the same address, in clear. Each phase has the timeout of RFC 5321 §4.5.3.2.
    Task<Opened> open(Route route, std::vector<Target> targets);

    /// Offers the message to the recipients, at most recipients_max() of them, and returns one
    /// outcome for each, in order. Only a 2xx read after the whole dot was written is a delivery.
    /// Never throws away a refusal: what one recipient was told stays that recipient's.
    Task<std::vector<RecipientOutcome>> send(Transaction transaction);

    /// Whether another message may be sent: the connection stands, nothing unasked-for has arrived,
    /// the receiver's MAILMAX is not used up.
    bool reusable() const;
    /// RCPTMAX of the receiver (RFC 9422), never more than 100.
    unsigned recipients_max() const;
    /// Transactions in which the receiver took a message.
    unsigned delivered() const;
    /// Who we talk to: `mx.example.com [192.0.2.1]`; empty before open().
    const std::string& host() const;
    /// Our own address on this connection; empty before open().
    const std::string& source_ip() const;
    /// `TLSv1.3`, or empty in clear.
    std::string tls_protocol() const;

    /// QUIT, a short wait for its answer, close. Safe when nothing is open.
    Task<void> quit();
    /// Closes at once.
    void abort();

  private:
    std::unique_ptr<Conversation> conversation_;
};

}  // namespace millrace::relay
