#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::relay {

/// What a refusal is about (design §5: blame before action). Only the matching knob on the matching
/// axis may move; `none` moves nothing but this message's retry.
enum class Blame : std::uint8_t {
    none,
    connections,              ///< too many connections at once
    rate,                     ///< too many messages, recipients or connections in a time
    messages_per_connection,  ///< this connection has had its share: open another
    recipient,                ///< this mailbox alone: full, busy, unknown
    greylist,                 ///< come back later; nothing is wrong
    sender,                   ///< the sender's address or domain
    content,                  ///< what the message says or carries
    reputation,               ///< our address's or domain's history with this receiver
    blocklist,                ///< a list: retrying does not help
    compliance,               ///< authentication, alignment, reverse DNS, unsubscribe
    receiver_ill,             ///< the receiver's own trouble
    tls,                      ///< TLS is required or broken
};
constexpr unsigned blame_count = 13;

/// `connections`, `messages-per-connection`, …
std::string_view to_string(Blame blame);
/// The word of to_string(); no value for any other.
std::optional<Blame> blame_named(std::string_view word);

/// Whether the reply limits the lane and spends no attempt of the message (connections, rate,
/// messages_per_connection).
bool is_limit(Blame blame);

}  // namespace millrace::relay
