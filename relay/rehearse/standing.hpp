#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "relay/schedule/retry.hpp"
#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

/// How the relay stands at one moment, as far as it decides when what waits will be delivered: what
/// a forecast starts from. The relay hands it out over the control socket and goes on; the
/// reckoning is done by whoever asked.
struct Standing {
    /// One stream of the spool, and where it leads.
    struct Queue {
        std::string stream;          ///< as relay/spool/stream.hpp names it
        std::string site, provider;  ///< empty: not looked up yet
        std::uint64_t count = 0;     ///< without held ones
        std::uint64_t held = 0;
        Time next_due = never;
        Time oldest = never;
        Time wait_until{};  ///< it is paused, or its site cannot be reached, until then
        std::string why;    ///< of that
    };
    /// What a share has learned (Share::kept()).
    struct Learned {
        std::string source, provider;
        std::string note;
    };

    Time now{};
    ScheduleLimits limits;
    RetrySchedule retry;
    Duration idle_connection = std::chrono::seconds(2);
    std::vector<Queue> queues;  ///< those of one destination stand together
    std::vector<Learned> shares;
};

/// As items of the control socket's answer and its end, and back. A field that is missing reads as
/// nothing known.
boost::json::object to_json(const Standing::Queue& queue);
boost::json::object to_json(const Standing::Learned& learned);
/// Everything but queues and shares.
boost::json::object end_of(const Standing& standing);
/// Adds a queue or a share. Failure (invalid): it is neither.
Result<void> take_item(Standing& standing, const boost::json::object& item);
void take_end(Standing& standing, const boost::json::object& end);

}  // namespace millrace::relay
