#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/time.hpp"
#include "relay/shaping/blame.hpp"

namespace millrace::relay {

/// On whom a refusal falls: only there may something change (design §5).
enum class Axis : std::uint8_t {
    message,        ///< this message or recipient alone
    connection,     ///< this connection: open another one
    source,         ///< our address at this provider
    sender_domain,  ///< the sender's domain at this provider, whatever the address
    account,        ///< the account's stream at this provider
    site,           ///< the receiving server: its own trouble
};
constexpr unsigned axis_count = 6;
/// `message`, `sender-domain`, …
std::string_view to_string(Axis axis);
/// The word of to_string(); no value for any other.
std::optional<Axis> axis_named(std::string_view word);

/// What a refusal means: whose fault, on which axis, and what the rule that knew it asks for.
struct Typed {
    Blame blame = Blame::none;
    Axis axis = Axis::message;
    /// The first pause for this cause, at least so long; zero: the controller's own time constant.
    Duration pause{};
    bool escalate = true;  ///< the next pause for the same cause is longer
    /// A limit that this receiver tells with a permanent code (`550 Ip frequency limited`): the
    /// message waits as for any limit, against RFC 5321 §4.2.1. On the word of the one rule only.
    bool defers = false;
    std::string rule;  ///< `google: 421 4.7.28 "spf domain"`, `general: "greylist"`; empty: none
    bool operator==(const Typed&) const = default;

    /// What the type means by itself, on its usual axis.
    static Typed of(Blame blame);
};

/// Where a refusal of this type usually falls.
Axis usual_axis(Blame blame);
/// Whether a refusal of this type can fall there: a limit of connections never lies on a message.
bool can_fall_on(Blame blame, Axis axis);
/// Whether a refusal of this type is one that the receiver counts against us.
bool counts_against_us(Blame blame);
/// It speaks of us – a limit, our address, what we have in order –, and other mail would hear the
/// same: more than this message waits.
bool holds_back(const Typed& typed);
/// … and it says nothing of the message, which waits without an attempt spent.
bool spends_nothing(const Typed& typed);
/// Whether a refusal of this type makes anything wait longer than the message's own schedule says.
bool pauses(Blame blame);

}  // namespace millrace::relay
