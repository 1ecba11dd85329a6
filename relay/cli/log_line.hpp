#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/time.hpp"

namespace millrace::relay {

/// One attempt at one recipient, as a line of Postfix's or Sendmail's log tells it. Views into that
/// line.
struct LoggedAttempt {
    enum class End : std::uint8_t {
        sent,
        deferred,
        bounced,
        suspended,  ///< put off without an attempt: the server had failed for another message
    };
    std::int64_t second = 0;  ///< since 1970, in the log's own time zone
    std::string_view process;
    std::string_view queue_id;
    std::string_view domain;  ///< of the recipient, as written
    std::string_view host;    ///< who was spoken to; empty: nobody
    End end = End::sent;
    unsigned code = 0;  ///< of the reply; 0: there was none
    std::string_view enhanced;
    std::string_view text;  ///< the reply without its codes, or what went wrong
    Duration busy{};        ///< connecting and sending, as far as the log says
};

/// Reads `postfix/smtp[1]: ID: to=<…>, relay=…, delays=…, dsn=…, status=… (…)` (of any instance,
/// of lmtp, relay and our own mail log too) and `sendmail[1]: ID: to=…, mailer=esmtp, relay=…,
/// dsn=…, stat=…`, but for what was handed over on the machine itself, with time stamps of RFC 3164
/// §4.1.2 or RFC 3339; none for every other line. Stamps of the former have no year: they get the
/// latest one that is not after `now`. Total on any bytes, linear. Pure.
std::optional<LoggedAttempt> read_log_line(std::string_view line, Time now);

}  // namespace millrace::relay
