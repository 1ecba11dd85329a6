#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/smtp/reply.hpp"

namespace millrace::smtp {

/// What a receiving server offers in its answer to EHLO. Used afresh after STARTTLS (RFC 3207
/// §4.2).
struct Capabilities {
    std::string name;  ///< what the server calls itself
    bool pipelining = false;
    bool eight_bit_mime = false;
    bool smtputf8 = false;
    bool dsn = false;
    bool chunking = false;
    bool enhanced_status_codes = false;
    bool starttls = false;
    bool requiretls = false;
    bool size = false;                      ///< SIZE was offered, with or without a limit
    std::uint64_t size_max = 0;             ///< 0: none told
    std::vector<std::string> auth;          ///< mechanisms, upper case
    std::optional<std::uint64_t> rcpt_max;  ///< LIMITS RCPTMAX (RFC 9422)
    std::optional<std::uint64_t> mail_max;  ///< LIMITS MAILMAX
    std::optional<std::uint64_t> rcpt_domain_max;
    bool operator==(const Capabilities&) const = default;

    bool offers_auth(std::string_view mechanism) const;
};

/// Keywords in any case; unknown and malformed ones are ignored (RFC 5321 §4.1.1.1, RFC 9422 §4.1).
Capabilities parse_ehlo(const Reply& reply);

}  // namespace millrace::smtp
