#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::policy {

/// A physical line of a message without its line end (RFC 5322 §2.1.1).
constexpr std::size_t line_max = 998;

/// What one pass over a field's bytes finds. Folds may be LF or CRLF.
struct ValueScan {
    bool has_8bit = false;
    bool has_control = false;      ///< C0 but HTAB, and DEL; a CR or LF that is no fold counts
    bool has_word_mark = false;    ///< `=?`
    std::size_t longest_line = 0;  ///< with the name and the colon in the first
    std::size_t wire_size = 0;     ///< bytes with CRLF line ends, name, colon and last line end too
};

ValueScan scan_value(std::string_view name, std::string_view value);

/// The form of Edit::value: a leading blank, folds LF + white space, no CR, no NUL, no line of
/// nothing but white space, nothing blank at the end; `" "` for an empty text.
std::string canonical_value(std::string_view value);

}  // namespace millrace::policy
