#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/checks.hpp"
#include "common/policy/known.hpp"

namespace millrace::policy {

namespace {

std::vector<mail::Mailbox> authors_of(const Draft& draft) {
    const std::size_t from = draft.first(FieldName::from);
    if (from == Draft::npos) return {};
    const auto list = mail::parse_addresses(draft.value(from), mail::Reading::lenient);
    return list ? list->mailboxes() : std::vector<mail::Mailbox>{};
}

// The one mailbox of the Sender field, if there is such a thing.
std::optional<mail::Mailbox> sender_of(const Draft& draft) {
    const std::size_t position = draft.first(FieldName::sender);
    if (position == Draft::npos) return std::nullopt;
    auto mailbox = mail::parse_mailbox(draft.value(position));
    if (!mailbox) return std::nullopt;
    return std::move(*mailbox);
}

bool same_address(const mail::Mailbox& a, const mail::Mailbox& b) {
    const std::string domain = comparable_domain(a.domain);
    const bool same_domain =
        domain.empty() ? a.domain == b.domain : domain == comparable_domain(b.domain);
    return same_domain && a.local_part == b.local_part;
}

// Whether all that the trigger looks at is known. Nothing to look at is nothing to object to.
bool is_verified(const Desk& desk, const std::vector<mail::Mailbox>& authors) {
    const auto& known = desk.settings.known;
    if (desk.settings.trigger != SenderTrigger::mail_from) {
        const bool all = std::ranges::all_of(
            authors, [&](const mail::Mailbox& author) { return is_known(known, author); });
        if (!all || (authors.empty() && desk.draft.count(FieldName::from) > 0)) return false;
    }
    if (desk.settings.trigger != SenderTrigger::header_from) {
        const auto mailbox = mail::parse_address(desk.envelope.mail_from);
        return mailbox && is_known(known, *mailbox);
    }
    return true;
}

// Our mailbox into the Sender field, the one that stood there kept aside.
void put_sender(Desk& desk) {
    const std::size_t position = desk.draft.first(FieldName::sender);
    if (position == Draft::npos) {
        desk.draft.append("Sender", desk.settings.sender);
        return;
    }
    keep_original(desk, position, "X-Original-Sender");
    desk.draft.replace(position, desk.settings.sender);
}

// Several authors need a Sender (RFC 5322 §3.6.2); the first of them will do when all are known.
void name_first_author(Desk& desk, const std::vector<mail::Mailbox>& authors) {
    const bool wanted = authors.size() > 1 && desk.draft.count(FieldName::sender) == 0 &&
                        desk.settings.action(Check::from_several) == Action::repair &&
                        desk.findings.may_edit();
    if (wanted) desk.draft.append("Sender", authors.front().address());
}

}  // namespace

void check_sender(Desk& desk) {
    const Settings& settings = desk.settings;
    const std::vector<mail::Mailbox> authors = authors_of(desk.draft);
    const bool awake = !settings.known.empty() && !desk.envelope.mail_from.empty();
    const bool verified = !awake || is_verified(desk, authors);
    const auto sender = sender_of(desk.draft);
    const auto ours = mail::parse_mailbox(settings.sender);
    const bool sender_known =
        sender && (is_known(settings.known, *sender) || (ours && same_address(*sender, *ours)));
    if (verified) {
        const bool equal = sender && !authors.empty() && same_address(*sender, authors.front());
        if (awake && sender && !sender_known && !equal) {
            desk.findings.remark("sender-unverified", "Sender domain not known");
        }
        name_first_author(desk, authors);
        return;
    }
    desk.findings.remark("from-unverified", "From domain not known");
    if (sender_known) return;
    if (settings.unverified_from == UnverifiedFrom::reject) {
        desk.findings.refuse(
            550,
            "5.7.1",
            "Unverified domain in From; ask the operator to make it known, or use a known one",
            "FROM");
        return;
    }
    if (!desk.findings.may_edit()) return;
    if (!ours || desk.draft.count(FieldName::sender) > 1) {
        desk.findings.remark("sender-not-added", "no usable gate.sender, or several Sender fields");
        return;
    }
    put_sender(desk);
}

}  // namespace millrace::policy
