#pragma once

#include "common/base/result.hpp"
#include "common/net/task.hpp"
#include "relay/spool/message.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Takes mail over: the spool and whoever is to know of new work. Implemented by the relay.
/// Thread: the loop's.
class Acceptor {
  public:
    virtual ~Acceptor() = default;

    /// A name for the next message, greater than all before.
    virtual MessageId next_id() = 0;
    /// Returns when the message is durable and its delivery is on the way: only then is there a 250
    /// (RFC 5321 §4.2.5). Failure: full (452), unavailable (451), broken (421, and the relay
    /// stops). Cancelled: not; what was handed over is decided.
    virtual Task<Result<void>> accept(NewMail mail) = 0;
    /// Whether there is room and trust, asked at MAIL so that nobody sends a body for nothing.
    virtual SpoolHealth health() const = 0;
};

}  // namespace millrace::relay
