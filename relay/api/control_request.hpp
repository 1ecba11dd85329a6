#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "relay/api/control.hpp"

namespace millrace::relay {

/// One line that came in on the control socket:
/// `{"command": "queue", "filter": {"destination": "example.com", "held": true}, "limit": 100}`.
struct ControlRequest {
    enum class Command {
        status,
        destinations,
        providers,
        standing,
        queue,
        count,
        show,
        why,
        fetch,
        change,
        events,
        reload,
        pause,
        drain,
        resume,
        orders,
        split,
        join,
        trace,
        warm
    };
    Command command = Command::status;
    Change change = Change::hold;
    WorkFilter filter;
    std::string name;               ///< any name of a message: our id, the MTA's, a Message-ID, an
                                    ///< address; looked up by the server; split, join: the site;
                                    ///< warm: a source
    std::vector<std::string> more;  ///< standing: destinations to look up besides those with mail
    std::uint64_t limit = 0;        ///< items at most; 0: all
    std::uint64_t after = 0;        ///< events: only those behind this one
    std::optional<Time> since;      ///< events: from then on
    std::optional<unsigned> last;   ///< events: that many from the end
    std::string reason;             ///< change: of the events, in place of the command's own word;
                                    ///< pause, drain: the operator's
    std::string target;             ///< pause, drain, resume, trace: about what
    std::optional<Duration> time;   ///< pause, drain, trace: for how long; none: until told
    bool all = false;               ///< change: everything is meant, not a forgotten filter
    bool follow = false;            ///< events: stay, and send what comes
};

/// Total on any bytes. Failure (invalid): what is wrong with the request.
Result<ControlRequest> parse_control_request(std::string_view line);

std::string_view to_string(Change change);

}  // namespace millrace::relay
