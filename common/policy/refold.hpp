#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::policy {

/// Breaks each physical line over 998 octets at its white space, to 78 columns where that is
/// possible; other lines stay as they are. Runs of blanks too long for a line become one. A piece
/// without white space stays as long as it is. `value` is canonical. Linear.
std::string fold_long_lines(std::string value, std::string_view field_name);

/// The same for an address list, which may also be broken behind a comma outside quotes, comments
/// and angle brackets.
std::string fold_long_addresses(std::string_view value, std::string_view field_name);

}  // namespace millrace::policy
