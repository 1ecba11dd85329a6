#pragma once

#include <string>
#include <string_view>

/// The content transfer encodings of RFC 2045 §6, written. Bodies have CRLF line ends, as does what
/// comes back.
namespace millrace::relay {

/// Text as quoted-printable (§6.7): its line ends stay, lines become at most 76 octets.
std::string quoted_printable(std::string_view text);

/// Any bytes as base64 (§6.8), lines of 76, CRLF after each.
std::string base64(std::string_view bytes);

/// Quoted-printable text with over-long lines broken by soft line breaks; decodes to the same
/// bytes.
std::string rewrap_quoted_printable(std::string_view encoded);

/// Base64 text on lines of 76; bytes outside the alphabet, which decoders skip (§6.8), are left
/// out.
std::string rewrap_base64(std::string_view encoded);

}  // namespace millrace::relay
