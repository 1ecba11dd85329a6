#include "relay/prepare/smtputf8.hpp"

#include <algorithm>
#include <array>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"

namespace millrace::relay {

namespace {

constexpr std::array<std::string_view, 6> address_fields{
    "From", "Sender", "Reply-To", "To", "Cc", "Bcc"};

bool has_8bit_address(const mail::HeaderField& field) {
    const bool addresses = std::ranges::any_of(
        address_fields, [&](std::string_view name) { return mail::same_name(name, field.name); });
    if (!addresses) return false;
    const auto list = mail::parse_addresses(field.value);
    if (!list) return false;
    return std::ranges::any_of(list->mailboxes(), [](const mail::Mailbox& m) {
        return !mail::is_ascii(m.local_part) || !mail::is_ascii(m.domain);
    });
}

}  // namespace

bool needs_smtputf8(const Envelope& envelope,
                    std::span<const mail::HeaderField> fields,
                    bool asked) {
    if (!mail::is_ascii(envelope.sender)) return true;
    const bool recipient = std::ranges::any_of(
        envelope.recipients, [](const Recipient& r) { return !mail::is_ascii(r.address); });
    if (recipient) return true;
    return std::ranges::any_of(fields, [&](const mail::HeaderField& field) {
        const bool ascii = mail::is_ascii(field.name) && mail::is_ascii(field.value);
        return !ascii && (asked || has_8bit_address(field));
    });
}

}  // namespace millrace::relay
