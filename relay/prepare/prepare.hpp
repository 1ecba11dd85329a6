#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "common/policy/gate.hpp"
#include "relay/prepare/received.hpp"
#include "relay/spool/message.hpp"

/// From the bytes that came in to the bytes that go into the spool: the gate, the trace field, the
/// limits of a relay. Pure.
namespace millrace::relay {

/// What the gate may do with a message.
enum class Judge {
    act,     ///< mail the operator's side submits: refuse and repair by the settings
    judged,  ///< the milter has judged the header (design §6): only tag and class are read of it;
             ///< the body, which no milter of ours sees, is judged as for act
    bystander  ///< mail from others: passes byte for byte under the trace field
};

/// What to do with a body line over 998 octets when H41 is not set in the configuration.
enum class LongLines {
    reencode,  ///< `attached`: the MTA has acknowledged it already, a refusal would be a bounce
    refuse,    ///< `submission`: the sender is there and can be told
};

/// What the relay does with every message of a listener. Views outlive the call.
struct Rules {
    const policy::Settings* gate = nullptr;  ///< never null
    std::string_view hostname;               ///< BY of the trace field
    LongLines long_lines = LongLines::reencode;
    bool remove_bcc = false;  ///< the submission profile; an attached MTA has done it
    std::string_view remove;  ///< name of one more field that is taken out wherever it stands: the
                              ///< handover header of the milter; empty: none
};

/// One message as a session hands it over.
struct Arrival {
    Envelope envelope;    ///< sender, recipients, id, account, times; the rest is filled in here
    std::string message;  ///< CRLF line ends, no dot-stuffing
    policy::Origin origin = policy::Origin::submission;
    Judge judge = Judge::act;
    std::string tag;             ///< as the milter has found it; empty: to be read from the message
    bool declared_8bit = false;  ///< BODY=8BITMIME was in MAIL
    Session session;
    Time wall{};  ///< for the trace field
    policy::Invention invention;
};

struct Prepared {
    Envelope envelope;  ///< complete: tag, class, SMTPUTF8, body type, Message-ID, size
    Body body;          ///< what is stored and sent
    policy::Outcome outcome;
};

struct Refused {
    unsigned code = 550;
    std::string enhanced;  ///< `5.6.0`
    std::string text;
    policy::Outcome outcome;  ///< the defects, for the log
};

/// More Received fields than this is a loop (RFC 5321 §6.3). Legitimate paths through gateways,
/// lists and forwarders stay under a dozen; RFC 5321 asks for a limit not too low, and Postfix cuts
/// at 50, Exim at 30.
constexpr std::size_t hops_max = 30;

/// So often a message may have been through this very relay: two relays or a relay and its MTA that
/// hand it to each other are found long before hops_max. An alias elsewhere that leads back to us,
/// or a message that somebody sends on with its old header, is a second pass, seldom a third.
constexpr std::size_t passes_max = 3;

/// Never fails: a message is prepared or refused. In report-only mode the gate neither edits nor
/// refuses; broken line ends and loops are refused in every mode.
std::variant<Prepared, Refused> prepare(Arrival arrival, const Rules& rules);

}  // namespace millrace::relay
