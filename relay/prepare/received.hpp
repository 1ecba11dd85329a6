#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"
#include "common/mail/header_block.hpp"
#include "relay/spool/message.hpp"

namespace millrace::relay {

/// What the trace field tells of the conversation the message came by.
struct Session {
    std::string helo{};            ///< as given in EHLO or HELO
    std::string client_name{};     ///< verified reverse name; empty: unknown
    std::string client_address{};  ///< `192.0.2.1`, `2001:db8::1`; empty: not by SMTP
    bool extended = true;          ///< EHLO
    bool authenticated = false;
    bool smtputf8 = false;       ///< the client asked for SMTPUTF8 in this transaction
    std::string tls_protocol{};  ///< `TLSv1.3`; empty: in clear
    std::string tls_cipher{};    ///< `TLS_AES_256_GCM_SHA384`
    unsigned tls_bits = 0;       ///< 0: not known
};

/// The protocol word of RFC 3848 and RFC 6531 §4.3: `ESMTPSA`, `UTF8SMTPS`, `SMTP`, …
std::string_view protocol_of(const Session& session);

/// How many of these Received fields a relay of that name has written: how often the message has
/// been here.
std::size_t count_passes(std::span<const mail::HeaderField> fields, std::string_view hostname);

/// The Received field of RFC 5321 §4.4 as whole lines with CRLF. FOR is there only when the message
/// has exactly one recipient: with more it would tell one who the others are. What the client said
/// is cut to harmless ASCII.
std::string received_field(const Session& session,
                           const Envelope& envelope,
                           std::string_view hostname,
                           Time wall);

}  // namespace millrace::relay
