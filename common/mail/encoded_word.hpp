#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

/// One encoded-word (RFC 2047 §2), read and written.
namespace millrace::mail {

/// The longest encoded-word and the longest line that may hold one (RFC 2047 §2).
constexpr std::size_t encoded_word_max = 75;
constexpr std::size_t encoded_line_max = 76;

/// An encoded-word as found in text: `=?charset*language?B|Q?payload?=`. Views into the text.
struct EncodedWord {
    std::string_view charset;  ///< as written, without `*language`; may be empty
    char encoding = 'Q';       ///< `B` or `Q`, upper-case
    std::string_view payload;
    std::size_t size = 0;  ///< bytes of the whole word, `=?` to `?=`
};

/// The encoded-word that starts at text[0], as a lenient reader would cut it: `?` and blanks inside
/// a Q payload are allowed, the charset may be missing. No value when there is none. Linear in the
/// word's length.
std::optional<EncodedWord> read_encoded_word(std::string_view text);

/// The payload's bytes. `fault` becomes true when the payload breaks RFC 2047 §4 (bad hex, bad
/// base64 alphabet or padding, a blank or a raw 8-bit byte); what cannot be decoded stays literal.
std::string decode_payload(const EncodedWord& word, bool& fault);

/// UTF-8 text as encoded-words of at most 75 octets with LF + SP between them, Q when it is not
/// longer than B; `column` is where the first word will start (0-based) and is moved to the end of
/// the last one. No code point is split over two words. Only the phrase-safe set of RFC 2047 §5(3)
/// stands literally, so the result may be used in a display name. `reserve`: columns to keep free
/// at the end of each line.
std::string encode_words(std::string_view utf8, std::size_t& column, std::size_t reserve = 0);

}  // namespace millrace::mail
