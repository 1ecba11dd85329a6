#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// UTF-8 by hand: where it ends, what a sequence means.
namespace millrace::mail {

constexpr char32_t replacement = 0xFFFD;

/// The bytes of the well-formed sequence (RFC 3629) at text[0]; 0 when there is none.
std::size_t utf8_sequence(std::string_view text);

/// Whether text is the beginning of a well-formed sequence and ends before it is complete.
bool is_truncated_utf8(std::string_view text);

/// The code point of the well-formed sequence of `size` bytes at text[0].
char32_t utf8_decode(std::string_view text, std::size_t size);

void append_utf8(std::string& out, char32_t code_point);

/// CESU-8 (surrogate pairs encoded one by one) brought to UTF-8; false when something else is wrong
/// with the bytes or there is no such pair.
bool cesu8_to_utf8(std::string_view bytes, std::string& out);

}  // namespace millrace::mail
