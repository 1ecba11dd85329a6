#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

namespace millrace {

using Duration = std::chrono::nanoseconds;

/// The only time line of the project: nanoseconds since 1970, read from a Clock, never from
/// <chrono>. Within one run it never jumps (see Clock::now), so that no clock change expires a
/// message.
struct Timeline {
    using rep = std::int64_t;
    using period = std::nano;
    using duration = Duration;
    using time_point = std::chrono::time_point<Timeline, Duration>;
    static constexpr bool is_steady = true;
};
using Time = Timeline::time_point;

constexpr Time never = Time::max();

/// Seconds since 1970, rounded down.
std::int64_t unix_seconds(Time t);
/// Milliseconds since 1970, rounded down.
std::int64_t unix_millis(Time t);
Time from_unix_millis(std::int64_t ms);

/// `2026-11-24T08:15:30.123Z` (RFC 3339 §5.6), always UTC.
std::string to_rfc3339(Time t);
/// `Tue, 24 Nov 2026 08:15:30 +0000` (RFC 5322 §3.3), always UTC.
std::string to_rfc5322(Time t);
/// `15m`, `2h30m`, `4d`, `0.25s`: at most two units, for people.
std::string to_human(Duration d);

/// For arithmetic.
constexpr double seconds(Duration d) {
    return std::chrono::duration<double>(d).count();
}
/// At most a year: what a pace of nearly nothing comes to is no span that a clock can add.
constexpr Duration of_seconds(double s) {
    constexpr double year = 365.0 * 86'400;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(s, year)));
}

}  // namespace millrace
