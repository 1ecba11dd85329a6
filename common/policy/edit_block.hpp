#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/policy/gate.hpp"

namespace millrace::policy {

/// Carries edits out on the bytes of a message: what no edit names stays byte for byte, body
/// included. `block` is parse_header_block(message, line_end). `trace` is put above everything:
/// whole lines with their line ends, or empty. The header block of the result gives the fields of
/// apply(): a From_ line of an mbox gives way to what is put on top, and a body without an empty
/// line before it gets one where it would be read as header otherwise.
std::string edit_block(std::string_view message,
                       const mail::HeaderBlock& block,
                       std::span<const Edit> edits,
                       mail::LineEnd line_end,
                       std::string_view trace = {});

}  // namespace millrace::policy
