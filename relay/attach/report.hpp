#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/settings.hpp"

namespace millrace::attach {

/// One rule of the gate and the messages it concerns.
struct Rule {
    std::string what;  ///< `Subject missing`
    std::uint64_t messages = 0;
    std::map<std::string, std::uint64_t> senders;  ///< envelope senders, at most senders_max
    std::vector<std::string> examples;             ///< Message-IDs or queue ids, at most three
};

/// What would have gone to one destination, and how the relay's limits of now would have met it.
struct Load {
    std::uint64_t recipients = 0;
    std::uint64_t busiest_minute = 0;  ///< most recipients in one minute
    Duration longest_wait{};           ///< of the last one, by messages_per_second
};

/// What the gate saw, in figures.
struct Report {
    std::uint64_t messages = 0;   ///< of the operator's own side
    std::uint64_t untouched = 0;  ///< of others
    std::uint64_t clean = 0, mended = 0, refused = 0;
    std::string first, last;  ///< RFC 3339 §5.6
    std::map<std::string, Rule> rules;
    std::map<std::string, std::uint64_t> from;  ///< From domains
    std::set<std::string> known;                ///< those of `from` that are known
    std::map<std::string, Load> destinations;
    std::uint64_t skipped = 0;  ///< lines that are none of the gate's
};

/// Makes a report of the milter's message log, line by line; memory is bounded by the number of
/// rules, senders and destinations, each with a limit. Pure.
class ReportMaker {
  public:
    explicit ReportMaker(const config::Settings& settings) : settings_(settings) {}
    void add(std::string_view line);
    Report finish() &&;

  private:
    struct Minute {
        std::string name;  ///< `2026-11-24T08:15`
        std::uint64_t recipients = 0;
        double backlog = 0;  ///< recipients beyond the rate so far
    };
    void count_load(std::string_view minute, std::string_view domain, std::uint64_t recipients);

    const config::Settings& settings_;
    Report report_;
    std::map<std::string, Minute> minutes_;
};

/// The largest, first.
std::vector<std::pair<std::string, std::uint64_t>> most(
    const std::map<std::string, std::uint64_t>& counts, std::size_t how_many);
std::vector<std::pair<std::string, Load>> busiest(const Report& report, std::size_t how_many);
/// From domains that look like the operator's own: seen often and not known yet, at most ten.
std::vector<std::string> proposal(const Report& report);

}  // namespace millrace::attach
