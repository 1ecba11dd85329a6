#pragma once

#include <cstddef>
#include <string_view>

#include "common/mail/header_block.hpp"

namespace millrace::policy {

/// What one pass over a body finds.
struct BodyScan {
    std::size_t longest_line = 0;  ///< without its line end
    bool has_8bit = false;
    bool has_nul = false;
    bool has_bare_cr = false;  ///< a CR that is not part of a line end
    bool has_bare_lf = false;  ///< with CRLF line ends: a LF without its CR
};

/// Linear, at the speed of memory.
BodyScan scan_body(std::string_view body, mail::LineEnd line_end);

}  // namespace millrace::policy
