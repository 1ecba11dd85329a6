#include "common/policy/sealed.hpp"

#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/checks.hpp"
#include "common/policy/known.hpp"

namespace millrace::policy {

namespace {

// The d= of a DKIM-Signature (RFC 6376 §3.5), comparable; empty when there is none.
std::string signing_domain(std::string_view signature) {
    while (!signature.empty()) {
        const std::size_t end = std::min(signature.find(';'), signature.size());
        const std::string_view tag = signature.substr(0, end);
        const std::size_t equals = tag.find('=');
        if (equals != std::string_view::npos && mail::trim(tag.substr(0, equals)) == "d") {
            return comparable_domain(mail::trim(tag.substr(equals + 1)));
        }
        signature.remove_prefix(std::min(end + 1, signature.size()));
    }
    return {};
}

std::vector<std::string> author_domains(const Draft& draft) {
    std::vector<std::string> domains;
    const std::size_t from = draft.first(FieldName::from);
    if (from == Draft::npos) return domains;
    const auto list = mail::parse_addresses(draft.value(from), mail::Reading::lenient);
    if (!list) return domains;
    for (const mail::Mailbox& mailbox : list->mailboxes()) {
        domains.push_back(comparable_domain(mailbox.domain));
    }
    return domains;
}

}  // namespace

bool is_sealed(const Draft& draft) {
    if (draft.count(FieldName::list_id) > 0 || draft.count(FieldName::resent) > 0) return true;
    if (draft.count(FieldName::dkim_signature) == 0) return false;
    const std::vector<std::string> authors = author_domains(draft);
    if (authors.empty()) return false;
    for (const std::size_t position : draft.positions(FieldName::dkim_signature)) {
        const std::string signer = signing_domain(draft.value(position));
        const bool aligned = std::ranges::all_of(
            authors, [&](const std::string& author) { return is_within(author, signer); });
        if (aligned) return true;
    }
    return false;
}

bool is_sealed(std::span<const mail::HeaderField> fields) {
    return is_sealed(Draft(fields));
}

bool is_bulk(const Draft& draft) {
    if (draft.count(FieldName::list_id) > 0 || draft.count(FieldName::list_unsubscribe) > 0) {
        return true;
    }
    const std::size_t position = draft.first(FieldName::precedence);
    if (position == Draft::npos) return false;
    const std::string value = mail::lower(mail::trim(draft.value(position)));
    return value == "bulk" || value == "list" || value == "junk";
}

}  // namespace millrace::policy
