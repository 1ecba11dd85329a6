#pragma once

#include <string>
#include <string_view>

/// ISO-2022-JP (RFC 1468) with what Microsoft's and NEC's mailers put into it: half-width katakana
/// and the vendors' rows, which ICU's own converter refuses.
namespace millrace::mail {

/// The same characters in windows-31j. False when a shift we do not know stands in it (JIS X 0212,
/// ISO-2022-JP-2), or a byte has no place.
bool iso2022_jp_to_shift_jis(std::string_view bytes, std::string& out);

/// Whether the text returns to ASCII before it ends, as each encoded-word must.
bool ends_in_ascii(std::string_view bytes);

/// The size of the `ESC $ …` shift to two-byte JIS at text[0]; 0 when there is none.
std::size_t jis_shift(std::string_view text);

/// The size of raw ISO-2022-JP text at text[0], which starts with such a shift: up to and with the
/// shift back to one-byte text, or to a byte that no two-byte text has.
std::size_t jis_run(std::string_view text);

}  // namespace millrace::mail
