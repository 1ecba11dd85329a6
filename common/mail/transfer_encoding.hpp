#pragma once

#include <string>
#include <string_view>

/// The content transfer encodings of RFC 2045 §6, written.
namespace millrace::mail {

/// Of a hexadecimal digit, of either case; -1: it is none.
int hex_value(char c);

/// Text with CRLF line ends as quoted-printable (RFC 2045 §6.7): lines of at most 76, trailing
/// blanks encoded.
std::string quoted_printable(std::string_view text);

/// Without line ends (RFC 4648 §4).
std::string base64(std::string_view bytes);
/// In lines of 76, CRLF behind each (RFC 2045 §6.8).
std::string base64_lines(std::string_view bytes);

}  // namespace millrace::mail
