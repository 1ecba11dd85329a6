#pragma once

#include <string>
#include <string_view>

#include "common/mail/header_block.hpp"

namespace millrace::relay {

/// Every LF, CR and CRLF as CRLF: nothing is left that two servers could read in two ways.
std::string with_crlf(std::string_view text);

/// Whether a bare CR or LF stands in the header block.
bool has_broken_line(const mail::HeaderBlock& block);

}  // namespace millrace::relay
