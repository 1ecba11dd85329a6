#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace millrace::sim {

/// What one virtual day led to.
struct DayResult {
    std::uint64_t hash = 0;
    std::vector<std::string> violations;
    std::map<std::string, std::uint64_t> faults;
    std::uint64_t accepted = 0, refused = 0, unknown = 0;
    std::uint64_t taken = 0, excused_duplicates = 0;
    std::uint64_t hours = 0;  ///< virtual ones until the queue was empty
};

/// One virtual day of the whole relay, from a seed: clients, receivers, faults, crashes; then the
/// faults stop, the queue must drain, and the checkers look at everything that crossed the seams.
DayResult run_day(std::uint64_t seed, bool verbose);

}  // namespace millrace::sim
