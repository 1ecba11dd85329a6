#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "relay/api/control.hpp"

namespace millrace::relay {

/// One line that came in on the control socket:
/// `{"command": "queue", "filter": {"destination": "example.com", "held": true}, "limit": 100}`.
struct ControlRequest {
    enum class Command { status, destinations, queue, count, show, fetch, change, events, reload };
    Command command = Command::status;
    Change change = Change::hold;
    WorkFilter filter;
    std::string name;              ///< any name of a message: our id, the MTA's, a Message-ID, an
                                   ///< address; looked up by the server
    std::uint64_t limit = 0;       ///< items at most; 0: all
    std::uint64_t after = 0;       ///< events: only those behind this one
    std::optional<Time> since;     ///< events: from then on
    std::optional<unsigned> last;  ///< events: that many from the end
    std::string reason;            ///< change: of the events, in place of the command's own word
    bool all = false;              ///< change: everything is meant, not a forgotten filter
    bool follow = false;           ///< events: stay, and send what comes
};

/// Total on any bytes. Failure (invalid): what is wrong with the request.
Result<ControlRequest> parse_control_request(std::string_view line);

std::string_view to_string(Change change);

}  // namespace millrace::relay
