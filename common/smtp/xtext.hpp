#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::smtp {

/// RFC 3461 §4: printable ASCII with everything outside `!`..`~`, and `+` and `=` themselves, as
/// `+` and two upper-case hexadecimal digits.
std::string encode_xtext(std::string_view text);

/// The bytes meant. No value when the text is not xtext; a decoded NUL, CR or LF is refused too: no
/// value that is carried this way has a use for one, and lines are built from them.
std::optional<std::string> decode_xtext(std::string_view text);

/// Whether decode_xtext gives a value.
bool is_xtext(std::string_view text);

}  // namespace millrace::smtp
