#pragma once

#include <cstdint>
#include <span>
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
    reputation,               ///< our address's history with this receiver
    blocklist,                ///< a list of somebody else's: retrying does not help
    compliance,               ///< authentication, alignment, reverse DNS, unsubscribe
    receiver_ill,             ///< the receiver's own trouble
    tls,                      ///< TLS is required or broken
};

/// `connections`, `messages-per-connection`, …
std::string_view to_string(Blame blame);

/// Whether the reply limits the lane and spends no attempt of the message (connections, rate,
/// messages_per_connection).
bool is_limit(Blame blame);

/// Which replies a phrase speaks for.
enum class Severity : std::uint8_t { any, temporary, permanent };

/// One row of the table of texts.
struct BlamePhrase {
    std::string_view phrase;  ///< lower-case; begins at the beginning of a word
    Severity severity;
    Blame blame;
    std::string_view example;  ///< a reply, code first, that proves that the row fires
};

/// In the order in which they are tried: the special before the general.
std::span<const BlamePhrase> blame_phrases();

/// Types a 4xx or 5xx reply. The texts known stand in one table, each with an example;
/// where none fits, the enhanced code decides; where that says nothing: none. Basic code wins over
/// a contradicting enhanced one. Pure, total, linear.
Blame blame_of(unsigned code, std::string_view enhanced, std::string_view text);

}  // namespace millrace::relay
