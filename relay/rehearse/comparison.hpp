#pragma once

#include <functional>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "relay/rehearse/traffic.hpp"

namespace millrace::relay {

/// How some mail fared in one rehearsal.
struct Fared {
    std::uint64_t mail = 0, delivered = 0, bounced = 0;
    std::uint64_t refusals = 0;      ///< connections and messages that were refused for a limit
    std::uint64_t busiest_hour = 0;  ///< most delivered within one hour of the clock
    Duration median{}, p99{};        ///< from arrival to delivery
    Time finish{};                   ///< last delivery; zero: none
};

/// The same traffic under two sets of settings.
struct Comparison {
    struct Row {
        std::string name;  ///< destination
        Fared current, proposed;
    };
    Time begin{};
    Row total;
    std::vector<Row> rows;  ///< the most different ones first
};

/// What the settings decide of a rehearsal.
struct Conduct {
    ScheduleLimits limits;
    RetrySchedule retry;
    Duration idle_connection{};
    std::shared_ptr<const RuleBook> rules;
};

/// Rehearses the traffic under both. Pure, deterministic; about two microseconds a recipient.
/// `on_half`: after the first.
Comparison compare(const RehearsalSetup& traffic,
                   const Conduct& current,
                   const Conduct& proposed,
                   const std::function<void()>& on_half);

/// For programs: one object.
boost::json::object to_json(const Comparison& comparison);

}  // namespace millrace::relay
