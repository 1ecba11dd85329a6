#pragma once

#include <span>
#include <string>
#include <string_view>

#include "relay/feedback/dsn.hpp"

/// The three parts of a notification (RFC 6522 §3), each with its MIME header, ending with CRLF.
/// 7-bit.
namespace millrace::relay {

/// For people: what happened to whom, what the server said, what to do.
std::string explanation_part(const Envelope& envelope,
                             std::span<const DsnRecipient> recipients,
                             const DsnContext& context);

/// For programs: message/delivery-status (RFC 3464 §2).
std::string status_part(const Envelope& envelope,
                        std::span<const DsnRecipient> recipients,
                        const DsnContext& context);

/// The original, whole when that is wanted, small and 7-bit; else its header block.
std::string returned_part(std::string_view original, bool whole);

/// `rfc822; a@example.net`, or for an address with UTF-8 `utf-8; \x{E4}@example.net` (RFC 6533 §3),
/// which is ASCII, too.
std::string typed_address(std::string_view address);
/// An ORCPT parameter as Original-Recipient has it: the type, and the address with xtext undone
/// (RFC 3464 §2.3.1). Empty when it is malformed.
std::string typed_orcpt(std::string_view orcpt);

}  // namespace millrace::relay
