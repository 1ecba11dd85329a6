#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millrace::relay {

/// What became of a body with lines over 998 octets (RFC 5322 §2.1.1).
struct Reencoded {
    std::optional<std::string> message;  ///< with every over-long line gone; none: left as it was
    std::string reason;                  ///< why it was left: for the log
};

/// Re-encodes each leaf that has an over-long line: text as quoted-printable, other content as
/// base64, and content that is encoded already is only wrapped anew. What the parts decode to does
/// not change. Left alone: DKIM-signed mail, leaves inside multipart/signed or multipart/encrypted,
/// and lines that belong to no leaf. Message with CRLF line ends.
Reencoded reencode_long_lines(std::string_view message);

}  // namespace millrace::relay
