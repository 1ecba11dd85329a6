#pragma once

#include <span>
#include <string_view>

#include "common/mail/address.hpp"
#include "common/policy/settings.hpp"

namespace millrace::policy {

/// Whether the mailbox, or its domain, is one the operator has made known (milter.md §5.1).
/// Literals, single labels and what is no domain name are never known.
bool is_known(std::span<const KnownSender> known, const mail::Mailbox& mailbox);

/// Lower-case A-label form of a domain for comparing; empty when it is none.
std::string comparable_domain(std::string_view domain);

/// Whether `domain` is `parent` or below it. Both comparable.
bool is_within(std::string_view domain, std::string_view parent);

}  // namespace millrace::policy
