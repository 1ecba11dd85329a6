#include "common/policy/known.hpp"

#include <algorithm>

#include "common/mail/domain.hpp"

namespace millrace::policy {

bool is_within(std::string_view domain, std::string_view parent) {
    if (!domain.ends_with(parent) || parent.empty()) return false;
    return domain.size() == parent.size() || domain[domain.size() - parent.size() - 1] == '.';
}

std::string comparable_domain(std::string_view domain) {
    auto name = mail::ascii_domain(domain);
    if (!name || !mail::is_host_name(*name) || name->find('.') == std::string::npos) return {};
    return std::move(*name);
}

bool is_known(std::span<const KnownSender> known, const mail::Mailbox& mailbox) {
    if (known.empty()) return false;
    const std::string domain = comparable_domain(mailbox.domain);
    if (domain.empty()) return false;
    return std::ranges::any_of(known, [&](const KnownSender& k) {
        switch (k.scope) {
            case KnownSender::Scope::exact:
                return domain == k.name;
            case KnownSender::Scope::with_subdomains:
                return is_within(domain, k.name);
            case KnownSender::Scope::only_subdomains:
                return domain.size() > k.name.size() && is_within(domain, k.name);
            case KnownSender::Scope::mailbox: {
                const std::size_t local = mailbox.local_part.size();
                return k.name.size() == local + 1 + domain.size() && k.name[local] == '@' &&
                       k.name.ends_with(domain) &&
                       k.name.starts_with(mail::lower(mailbox.local_part));
            }
        }
        return false;
    });
}

}  // namespace millrace::policy
