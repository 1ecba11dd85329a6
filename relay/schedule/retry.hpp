#pragma once

#include <optional>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/random.hpp"

namespace millrace::relay {

/// When to try again. Pure.
struct RetrySchedule {
    std::vector<Duration>
        steps;  ///< delay after the 1st, 2nd, … failed attempt; the last one repeats
    Duration expire_after{};  ///< a message is given up when it is this old

    /// The time of the next attempt after `attempts` (>= 1) failed ones, or none: give up now.
    ///
    /// The delay is the step plus up to a tenth of it (never less: a receiver that asked for
    /// patience gets it), so that messages deferred together do not come back together; `least`:
    /// what the receiver or a rule asks for. An attempt that would fall behind the expiry is moved
    /// to the last minute before it: nothing is given up without a last try.
    std::optional<Time> next(
        unsigned attempts, Time now, Time born, Random& random, Duration least = {}) const;

    Time expiry(Time born) const { return born + expire_after; }
    bool expired(Time now, Time born) const { return now >= expiry(born); }
};

}  // namespace millrace::relay
