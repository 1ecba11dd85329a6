#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace millrace::relay {

/// How much of a log was read.
struct LogFileRead {
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;  ///< unpacked
};

/// Gives every line of a log, plain or packed by gzip, to `on_line`, without its end; `-` is
/// standard input. Memory: one buffer; of a line longer than it, only the beginning is given.
/// on_progress is told now and then how many bytes were read so far.
/// Failure: not_found (cannot be opened), corrupt (broken or unknown packing); what was given stays
/// given.
Result<LogFileRead> read_log_file(const std::string& path,
                                  const std::function<void(std::string_view)>& on_line,
                                  const std::function<void(std::uint64_t)>& on_progress);

}  // namespace millrace::relay
