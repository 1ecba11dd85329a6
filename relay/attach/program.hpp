#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/base/time.hpp"

namespace millrace::attach {

/// What a program of the mail server said and how it ended.
struct Finished {
    int exit = 0;     ///< exit status; 128 + signal when it was killed
    std::string out;  ///< at most output_max bytes of each
    std::string error;
};

constexpr std::size_t output_max = std::size_t{8} << 20;

/// Runs a program by its argument list, found in PATH and the system's sbin folders; no shell.
/// input: its whole standard input, at most 4 KiB. Blocks until it ends; after `deadline` it is
/// killed. Failure: not_found (there is no such program), timed_out, unavailable. An exit status
/// other than 0 is no failure.
Result<Finished> run_program(const std::vector<std::string>& arguments,
                             Duration deadline = std::chrono::seconds(30),
                             std::string_view input = {});

/// The same, but an exit status other than 0 is a failure (unavailable) with what was said.
Result<std::string> output_of(const std::vector<std::string>& arguments,
                              Duration deadline = std::chrono::seconds(30));

}  // namespace millrace::attach
