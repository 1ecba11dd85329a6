#include "common/policy/address_domain.hpp"

#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"

namespace millrace::policy {

std::optional<std::string> with_ascii_domains(std::string_view value,
                                              std::span<const mail::Mailbox> mailboxes) {
    std::string out;
    out.reserve(value.size());
    for (const mail::Mailbox& mailbox : mailboxes) {
        if (!mail::is_ascii(mailbox.local_part)) return std::nullopt;
        if (mail::is_ascii(mailbox.domain)) continue;
        const auto domain = mail::ascii_domain(mailbox.domain);
        if (!domain) return std::nullopt;
        // The mailboxes come in the order of the text, so one pass forward finds them all.
        const std::size_t at = value.find('@' + mailbox.domain);
        if (at == std::string_view::npos) return std::nullopt;
        out += value.substr(0, at + 1);
        out += *domain;
        value.remove_prefix(at + 1 + mailbox.domain.size());
    }
    out += value;
    if (!mail::is_ascii(out)) return std::nullopt;
    return out;
}

}  // namespace millrace::policy
