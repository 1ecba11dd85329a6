#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

/// RFC 3461 §4.1: on which outcomes the sender of a message wants a DSN for this recipient.
struct Notify {
    bool never = false;
    bool success = false;
    bool failure = true;  ///< the default of RFC 3461 §4.1: failure and (at our choice) delay
    bool delay = true;
    bool given = false;  ///< NOTIFY was in the RCPT command and is to be passed on
    bool operator==(const Notify&) const = default;
};

struct Recipient {
    std::string address;      ///< as given in RCPT, without angle brackets; local part untouched
    std::string destination;  ///< where it is queued: the domain, lower-case A-label; an address
                              ///< literal in brackets
    std::string orcpt;        ///< ORCPT exactly as given (still xtext), or empty (RFC 3461 §4.2)
    Notify notify;
    bool operator==(const Recipient&) const = default;
};

enum class Class : std::uint8_t { transactional, bulk };
/// `transactional` or `bulk`: the word for events and people.
std::string to_string(Class klass);
enum class BodyType : std::uint8_t { seven_bit, eight_bit, binary };

/// Everything about a message but its bytes and the state of its recipients. Never changes once
/// stored.
struct Envelope {
    MessageId id;
    std::string sender;  ///< MAIL FROM without brackets; empty for the null sender
    std::vector<Recipient> recipients;
    std::string account;  ///< `local` for unattributed mail of an attached listener
    Class klass = Class::transactional;
    std::string tag = "email";
    std::string ret;    ///< RET as given: `FULL`, `HDRS` or empty (RFC 3461 §4.3)
    std::string envid;  ///< ENVID as given, still xtext (RFC 3461 §4.4)
    bool smtputf8 =
        false;  ///< the content or an address needs SMTPUTF8 (recomputed, not the client's word)
    BodyType body = BodyType::seven_bit;
    Time received{};  ///< when we took it over
    Time born{};  ///< when the attached MTA did, if it told us; else = received. Age counts from
                  ///< here
    std::string client;        ///< `name [192.0.2.1]` for the trace and the log
    std::string mta_queue_id;  ///< queue id of the attached MTA, or empty
    std::string message_id;    ///< the Message-ID header with its angle brackets, or empty
    std::uint64_t size = 0;    ///< bytes of the stored message
    bool operator==(const Envelope&) const = default;
};

/// Header and body as stored and sent: CRLF line ends, no dot-stuffing, ends with CRLF.
/// Shared by all recipients and never changed.
using Body = std::shared_ptr<const std::string>;

}  // namespace millrace::relay
