#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/mail/address.hpp"

namespace millrace::policy {

/// An address field with the U-labels of its addresses' domains brought to A-labels and no other
/// byte changed. No value when a local part has 8-bit bytes or a domain is none: then only SMTPUTF8
/// can carry it. `mailboxes`: what the field's strict reading gave.
std::optional<std::string> with_ascii_domains(std::string_view value,
                                              std::span<const mail::Mailbox> mailboxes);

}  // namespace millrace::policy
