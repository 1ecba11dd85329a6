#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

/// The status as a check of Nagios (and Icinga, Checkmk, Sensu …): one line with performance data,
/// exit code 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. Pure.
namespace millrace::relay {

struct Thresholds {
    std::optional<std::uint64_t> queued;  ///< recipients, above
    std::optional<std::uint64_t> held;    ///< recipients, above
    std::optional<Duration> oldest;       ///< above
    std::optional<std::uint64_t> free;    ///< bytes, below
    bool operator==(const Thresholds&) const = default;
};

Thresholds default_warning();
Thresholds default_critical();

/// `queued=1000,oldest=2h,free=1G`; empty: `otherwise`. Failure (invalid): what is wrong.
Result<Thresholds> parse_thresholds(std::string_view list, Thresholds otherwise);

struct NagiosVerdict {
    int exit_code = 3;
    std::string line;  ///< without its end
};

/// status: what the relay answered. Not accepting mail is critical.
NagiosVerdict nagios_verdict(const boost::json::object& status,
                             const Thresholds& warning,
                             const Thresholds& critical,
                             Time now);
NagiosVerdict nagios_critical(std::string_view why);
NagiosVerdict nagios_unknown(std::string_view why);

}  // namespace millrace::relay
