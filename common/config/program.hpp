#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/config/complete.hpp"
#include "common/config/load.hpp"
#include "common/config/settings.hpp"

/// The command line that the daemons share, and their exit codes.
namespace millrace::config {

constexpr int exit_done = 0;
constexpr int exit_negative = 1;
constexpr int exit_usage = 64;          ///< EX_USAGE
constexpr int exit_unreachable = 69;    ///< EX_UNAVAILABLE
constexpr int exit_temporary = 75;      ///< EX_TEMPFAIL
constexpr int exit_configuration = 78;  ///< EX_CONFIG

/// What a program knows about its settings beyond the table: whether the rules in them can work.
/// Failure (invalid): one line for each fault, each with its own place.
using Proof = Result<void> (*)(const Settings&);

/// What main does next.
struct Program {
    bool run = false;  ///< false: leave with `exit_code`, everything is said
    int exit_code = exit_done;
    std::string file;  ///< the configuration file, for reload
    Missing missing = Missing::means_defaults;
    Snapshot settings;  ///< set when run
    std::vector<std::string> warnings;
    Proof proof = nullptr;  ///< asked at the start and at each reload; none: nothing further
};

/// Reads `-c FILE`, `--check`, `--print-config`, `--version`, `--help` and the configuration. What
/// people asked to see goes to stdout, errors to stderr, each with file, line and next step.
/// part: whose files `--check` and the start look at. about: one sentence for `--help`.
Program start_program(int argc,
                      const char* const* argv,
                      Part part,
                      std::string_view name,
                      std::string_view about,
                      Proof proof = nullptr);

/// For SIGHUP: the same file again. A Failure leaves the old settings in force.
Result<Snapshot> reload_program(const Program& program, Part part);

/// `0.1.0`.
std::string_view version();

}  // namespace millrace::config
