#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "relay/shaping/typed.hpp"

namespace millrace::relay {

enum class OutcomeKind : std::uint8_t { delivered, deferred, bounced };

/// Where in the conversation something happened.
enum class Phase : std::uint8_t {
    connect,
    greeting,
    hello,
    starttls,
    handshake,
    hello_again,  ///< EHLO inside TLS
    auth,
    mail,
    rcpt,
    data,
    body,
    dot,
    reset,
    quit,
};
/// `connect`, `EHLO`, `end of data`, …: for people.
std::string_view to_string(Phase phase);

/// What became of one recipient in one attempt.
struct RecipientOutcome {
    OutcomeKind kind = OutcomeKind::deferred;
    Phase phase = Phase::mail;  ///< which answer (or silence) decided
    unsigned code = 0;          ///< of the reply; 0: there was none
    std::string enhanced;       ///< the receiver's, or ours when it gave none; class as `kind` says
    std::string text;  ///< what was said, or what went wrong: one line of printable UTF-8, bounded
    std::string host;  ///< `mx.example.com [192.0.2.1]`
    Typed typed;       ///< what the reply means; that of nobody's fault without one
    bool possible_duplicate = false;  ///< lost between the dot and its reply
    /// A kept connection had ended, or this machine may not send: the receiver never heard of the
    /// message, so no attempt is spent.
    bool untried = false;
    bool hung_up = false;  ///< the receiver ended the connection instead of answering
    std::string source_ip = {};  ///< our address on that connection; empty: there was none
    bool dsn_passed_on = false;  ///< delivered to a server that offered DSN: it reports success

    Blame blame() const { return typed.blame; }
    /// `451 4.7.1 try later`: what an operator and the sender are shown.
    std::string line() const;
    bool operator==(const RecipientOutcome&) const = default;
};

/// One line of printable UTF-8 from whatever a server said: control characters become blanks, what
/// is no UTF-8 U+FFFD; at most 512 bytes.
std::string one_line(std::string_view said);

/// An enhanced code of the class that `kind` has (2, 4, 5): the given one when it is well-formed,
/// its class put right; `fallback` (`x.0.0` with any class) when not.
std::string enhanced_for(OutcomeKind kind, std::string_view given, std::string_view fallback);

/// How an attempt to open a connection ended.
struct Opened {
    bool ok = false;
    /// The last failure when not ok; never an attempt of a message by itself: nothing was offered.
    OutcomeKind kind = OutcomeKind::deferred;  ///< bounced: every host said 521 (RFC 7504 §4)
    Phase phase = Phase::connect;
    unsigned code = 0;
    std::string enhanced;
    std::string text;
    std::string host;  ///< `mx.example.com [192.0.2.1]`: who we talk to, or who failed last
    Typed typed;       ///< what the last reply means
    std::string source_ip = {};  ///< our address on that connection; empty: there was none
    unsigned tried = 0;          ///< addresses
    bool refused = false;  ///< may_send said no before anything was tried: not a fault of the site
    /// This machine could not try: nothing can be sent from the source. Not a fault of the site
    /// either; `text` says what it was.
    bool ours = false;
    bool hung_up = false;  ///< instead of greeting us

    Blame blame() const { return typed.blame; }
    std::string line() const;
    bool operator==(const Opened&) const = default;
};

}  // namespace millrace::relay
