#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "relay/rehearse/standing.hpp"

namespace millrace::relay {

/// When something will be done: in one of ten worlds before p10, in half of them before p50, in
/// nine of ten before p90, from now on. None: in so many worlds it is not done before the mail
/// expires.
struct Finish {
    std::optional<Duration> p10, p50, p90;
};

struct ForecastRow {
    std::string destination;
    std::string provider;
    std::uint64_t queued = 0;   ///< without held ones
    std::uint64_t put_off = 0;  ///< of those: not due yet
    std::uint64_t held = 0;
    Finish finish;
    std::string basis;  ///< what it goes by, for people
};

struct Forecast {
    Time now{};
    std::vector<ForecastRow> rows;  ///< by destination; the last to finish first
    ForecastRow total;
    unsigned worlds = 0;
    std::uint64_t rehearsed =
        0;  ///< messages in each world; fewer than queued: the rest was reckoned
    std::vector<std::string> assumes;  ///< one sentence each
};

struct ForecastOptions {
    unsigned worlds = 32;
    std::uint64_t messages = 128'000;  ///< rehearsed at most, in all worlds together
    std::uint64_t seed = 1;
    std::vector<std::string> only;  ///< sorted destinations that rows are wanted of; empty: all
    std::function<void(unsigned done)> on_world;  ///< after each
};

/// When what waits will be delivered: the production scheduler, from where it stands, in so many
/// worlds that differ in what is not known of the receivers (Belief). A large queue is rehearsed in
/// part and the rest reckoned at the pace that was found, so that the answer takes about as long
/// whatever waits. Pure and deterministic; takes a second or two of this thread: never on the loop.
Forecast forecast(const Standing& standing, const ForecastOptions& options);

/// For programs: one object.
boost::json::object to_json(const Forecast& forecast);

}  // namespace millrace::relay
