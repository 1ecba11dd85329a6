#pragma once

#include <array>
#include <deque>
#include <string>

#include "relay/schedule/token_bucket.hpp"

namespace millrace::relay {

struct DestinationQueue;

/// What a lane may do at most: static ceilings.
struct LaneLimits {
    unsigned connections = 20;
    double connections_per_second = 0;  ///< 0: no limit
    double messages_per_second = 0;     ///< 0: no limit
};

/// One source × one site: its connections, its limits, its turn among the destinations behind it.
/// A value of the scheduler thread; no I/O.
struct Lane {
    Lane(std::string site_name, const LaneLimits& limits, Time now)
        : site(std::move(site_name)),
          connection_rate(limits.connections_per_second, now),
          message_rate(limits.messages_per_second, now) {}

    std::string site;
    TokenBucket connection_rate;
    TokenBucket message_rate;

    unsigned connections = 0;  ///< being opened, busy or idle
    unsigned idle = 0;         ///< open, waiting for work
    unsigned allowed = 5;      ///< slow start: grows by one with each delivery, one after a failure
    unsigned failures = 0;     ///< connections in a row that never got to a message

    Time paused_until{};       ///< no message starts before; zero: not paused
    Time connect_after{};      ///< no new connection before; open ones may go on
    std::string pause_reason;  ///< of whichever of the two is in force

    /// Destinations with ready work, by class, in round robin.
    std::array<std::deque<DestinationQueue*>, 2> ring;
    unsigned transactional_streak = 0;  ///< picks since bulk last had its turn
    std::size_t ready = 0;              ///< works waiting in memory
    std::size_t queues = 0;             ///< destinations routed here
    Time agenda = never;                ///< where it stands in the scheduler's agenda
};

}  // namespace millrace::relay
