#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "common/smtp/reply.hpp"

namespace millrace::smtp {

/// What an MTA in front of us tells about its own client with Postfix's XFORWARD, for the log and
/// the journal. Empty: not told, or `[UNAVAILABLE]`.
struct Forwarded {
    std::string name;
    std::string address;  ///< without the prefix `IPv6:`
    std::string port;
    std::string protocol;
    std::string helo;
    std::string ident;   ///< queue id of the MTA
    std::string source;  ///< `LOCAL` or `REMOTE`
    bool operator==(const Forwarded&) const = default;
};

/// `NAME=x ADDR=y …`: further attributes onto those already told. 501 5.5.4 when malformed, 255
/// bytes a value; control bytes in a value are refused.
std::expected<Forwarded, Reply> parse_xforward(std::string_view argument, Forwarded known);

}  // namespace millrace::smtp
