#pragma once

#include <memory>
#include <optional>

#include "common/net/stream.hpp"

namespace millrace {

/// Accepts connections. Destroying or closing it stops accepting; accepted streams live on.
class Listener {
  public:
    virtual ~Listener() = default;
    /// Failure: cancelled (closed), unavailable (out of descriptors or memory: wait, then call
    /// again).
    virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
    virtual Endpoint local() const = 0;
    virtual void close() = 0;
};

/// Makes connections and listeners: the machine's, or the simulator's.
/// Thread: the loop's.
class Network {
  public:
    virtual ~Network() = default;

    /// source: the local address to send from, or none for the system's choice.
    /// Failure: refused, timed_out, unavailable (the source cannot be bound, no descriptors).
    virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to,
                                                          std::optional<Address> source,
                                                          Time deadline) = 0;
    /// Failure: refused with who holds the port when that can be known.
    virtual Result<std::unique_ptr<Listener>> listen(Endpoint at) = 0;
};

}  // namespace millrace
