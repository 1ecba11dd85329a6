#pragma once

#include "common/base/time.hpp"
#include "common/net/task.hpp"

namespace millrace {

/// The only source of time.
/// Thread: now() and wall() any; sleeping on the executor of the awaiting coroutine.
class Clock {
  public:
    virtual ~Clock() = default;

    /// Anchored to the wall clock when the process starts and steady from then on: an NTP step or a
    /// changed date moves neither retries nor expiry.
    virtual Time now() const = 0;
    /// What the machine's wall clock says: for Date and Received headers and for people.
    virtual Time wall() const = 0;
    /// Returns when now() >= t; at once when that is already so.
    /// Cancelled: throws boost::system::system_error(operation_aborted), as Asio operations do.
    virtual Task<void> sleep_until(Time t) = 0;

    Task<void> sleep(Duration d) { return sleep_until(now() + d); }
};

}  // namespace millrace
