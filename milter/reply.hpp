#pragma once

#include <string>
#include <string_view>

namespace millrace::milter {

/// What the MTA is told at end-of-message.
struct Reply {
    enum class Kind { accept, reject, tempfail };
    Kind kind = Kind::accept;
    std::string code;      ///< `550`; unused for accept
    std::string enhanced;  ///< `5.6.0`; unused for accept
    std::string text;      ///< as people read it
    bool operator==(const Reply&) const = default;
};

/// The longest reply text libmilter takes (MAXREPLYLEN, 980 octets).
constexpr std::size_t reply_text_max = 980;

/// The text as smfi_setreply wants it: one printable ASCII line, `%` doubled (the MTAs print it
/// through a format), cut to the limit without breaking a doubled `%`.
std::string escape_reply(std::string_view text);

/// `451 4.3.0`: our own trouble. Nothing is ever accepted unseen.
Reply trouble();

}  // namespace millrace::milter
