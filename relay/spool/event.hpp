#pragma once

#include <cstdint>
#include <string>

#include "common/base/id.hpp"
#include "common/base/time.hpp"

namespace millrace::relay {

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
    bool possible_duplicate =
        false;  ///< the connection died after the dot: the receiver may have taken it
    bool operator==(const Event&) const = default;
};

/// The accounting letter: d b t r f rb (interfaces: `type`).
std::string type_letter(EventKind kind);
std::string to_string(EventKind kind);

/// One JSON object, no line end, with the field names of the outside.
std::string to_json(const Event& event);

}  // namespace millrace::relay
