#pragma once

namespace millrace::relay {

/// What the operator, or a rule for a receiver, allows at most, for one source towards one provider
/// or site. 0: no limit of that kind.
struct Ceilings {
    unsigned connections = 40;  ///< open at once; never 0
    unsigned messages_per_connection = 100;
    double messages_per_second = 0;
    unsigned messages_per_hour = 0;  ///< in any span of an hour, restarts included
    unsigned messages_per_day = 0;   ///< in any span of a day, restarts included
    double connections_per_second = 0;
    bool operator==(const Ceilings&) const = default;
};

}  // namespace millrace::relay
