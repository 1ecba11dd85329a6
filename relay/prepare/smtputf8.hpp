#pragma once

#include <span>

#include "common/mail/header_block.hpp"
#include "relay/spool/message.hpp"

namespace millrace::relay {

/// Whether the message can only go to servers that offer SMTPUTF8 (RFC 6531 §3.4). Decided by what
/// is in it, not by what the client said: after the gate has encoded a Subject most messages no
/// longer need it, and a flag that sticks makes them bounce with 5.6.7. An 8-bit address in
/// envelope or header needs it; other 8-bit header bytes count only when the client asked, for
/// without its word they are somebody's old mistake that servers let pass.
bool needs_smtputf8(const Envelope& envelope,
                    std::span<const mail::HeaderField> fields,
                    bool asked);

}  // namespace millrace::relay
