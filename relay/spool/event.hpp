#pragma once

#include <cstdint>
#include <string>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

struct Envelope;

enum class EventKind : std::uint8_t {
    received,   ///< one per recipient, with the 250
    deferred,   ///< will be tried again
    delivered,  ///< the receiving server answered 2xx after the dot
    bounced,    ///< will never be delivered; the sender is told when there is one
    expired,    ///< given up after the queue lifetime
    complained,
    suppressed,
    removed,  ///< by an operator; no one is told
};

/// One fact about one recipient: a row of the journal. The fields are the schema of the outside
/// (JSON lines, webhooks, accounting); empty means not applicable.
struct Event {
    std::uint64_t id = 0;  ///< given by the spool: position in the journal, never reused
    EventKind kind = EventKind::received;
    Time at{};
    MessageId message;
    std::uint16_t recipient_index = 0;
    std::string mta_queue_id, message_id, account, recipient, sender, klass, tag;
    std::uint16_t attempt = 0;  ///< 1 for the first
    std::string site, provider, remote_mta, source_ip;
    std::uint16_t smtp_code = 0;
    std::string enhanced_status, reason, bounce_category;
    // What the mail log says beyond the schema of the outside.
    Time born{};                       ///< copy of Envelope::born
    Duration took{};                   ///< of the attempt, connecting left out; zero: none was made
    std::uint16_t connection_use = 0;  ///< 1: the first message on its connection; 0: no connection
    std::string client;                ///< received: who handed it in, as Envelope::client
    std::uint64_t size = 0;            ///< received: bytes as stored
    std::uint16_t recipients = 0;      ///< received: of the whole message
    bool last = false;                 ///< nothing of the message is left to do; set by the spool
    bool possible_duplicate =
        false;          ///< the connection died after the dot: the receiver may have taken it
    bool late = false;  ///< a bounce that came as a message after the delivery (accounting: `rb`)
    bool operator==(const Event&) const = default;
};

/// What the spool notes for each recipient of a message it takes over.
Event received_event(const Envelope& envelope, std::uint16_t recipient_index);

/// The accounting letter of a kind: d b t r f; what ends without delivery is b. A late bounce is
/// `rb`, see type_letter(event).
std::string type_letter(EventKind kind);
std::string type_letter(const Event& event);
std::string to_string(EventKind kind);

/// One JSON object, no line end, with the field names of the outside, always all of them and in the
/// same order; null means not applicable, except that the null sender is an empty string. Bytes
/// that are not UTF-8 (a receiver's reply may hold any) become U+FFFD, so that a line always
/// parses. `possible_duplicate` is there only when true.
std::string to_json(const Event& event);

}  // namespace millrace::relay
