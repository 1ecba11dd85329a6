#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::relay {

/// The message with every 8-bit part encoded for a server without 8BITMIME (RFC 6152 §3): text
/// parts as quoted-printable or base64, whichever is shorter, others as base64; parts within parts
/// too. No value when it cannot be done: 8-bit bytes in a header, in what belongs to no part or in
/// something signed as it stands (multipart/signed), or a structure that cannot be made out. Pure.
/// `message` has CRLF line ends, and so has the result.
std::optional<std::string> to_seven_bit(std::string_view message);

}  // namespace millrace::relay
