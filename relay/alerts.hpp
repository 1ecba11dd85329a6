#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "relay/api/explanation.hpp"
#include "relay/schedule/share.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// What of one share needs an operator now: it is blocked (critical when it is a blocklist), a
/// sender's domain is held for compliance or reputation, too many recipients are unknown (from 3 %,
/// critical from 10 %), somebody's bulk mail is held for that. Pure.
std::vector<Alert> alerts_of(const Share& share, Time now);

/// Transactional mail that has been due for longer than `after` and still waits; at most one for
/// each destination, the longest first, at most ten. Mail that is put off to a later attempt is not
/// late, nor is a list that goes out at the pace of its receiver. `after` zero: never. Pure.
std::vector<Alert> late_alerts(std::span<const StreamSummary> streams, Duration after, Time now);

/// What goes on and needs somebody. An alert begins once and ends once: it has ended when it was
/// not seen for five minutes, so that what comes and goes is told as one. Pure.
class Alerts {
  public:
    struct Change {
        bool begins = true;
        Alert alert;
    };
    /// Takes in what is so now; what has begun, become critical, or ended since the last look.
    std::vector<Change> look(std::vector<Alert> seen, Time now);
    /// Critical ones first, then the oldest.
    std::vector<Alert> current() const;
    std::size_t count(std::string_view kind) const;

  private:
    struct Known {
        Alert alert;
        Time seen{};
    };
    static constexpr std::size_t kept_max = 1'000;
    std::map<std::pair<std::string, std::string>, Known> known_;  ///< by kind and object
};

}  // namespace millrace::relay
