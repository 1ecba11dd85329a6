#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "common/policy/address_domain.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;

mail::TextOptions text_options(const Desk& desk) {
    mail::TextOptions options;
    options.fallback_charset = desk.settings.fallback_charset;
    return options;
}

// What a lenient reader understands, written so that a strict one does too. No value when nobody
// can make out an address, or when it still would not read the same.
std::optional<std::string> rewritten(const Desk& desk, std::size_t position) {
    const auto list = mail::parse_addresses(desk.draft.value(position), mail::Reading::lenient);
    if (!list) return std::nullopt;
    std::string text = mail::write_field(*list, desk.draft.name(position), text_options(desk));
    if (!mail::parse_addresses(text) || !desk.draft.fits(position, text)) return std::nullopt;
    return text;
}

void check_control(Desk& desk, std::size_t position) {
    if (!desk.draft.scan(position).has_control) return;
    const std::string name = shown_name(desk.draft.name(position));
    desk.findings.fault(Check::control_characters,
                        "control characters in " + name,
                        "Control characters in header: " + name,
                        none);
}

// H33: display names and comments. What is left of 8-bit bytes afterwards stands in addresses.
void check_names(Desk& desk, std::size_t position) {
    if (!desk.draft.scan(position).has_8bit) return;
    const std::string_view field = desk.draft.name(position);
    const mail::Repair repair =
        mail::repair_addresses(desk.draft.value(position), field, text_options(desk));
    std::optional<std::string> value;
    const FieldName which = desk.draft.traits(position).name;
    if (repair.changed && mail::parse_addresses(repair.value)) {
        value = repair.value;
    } else if (mail::parse_addresses(desk.draft.value(position))) {
        return;  // sound as it is: the bytes are an address's
    } else if (which != FieldName::from && which != FieldName::sender) {
        value = rewritten(desk, position);  // never guessed who the author is
    }
    if (value && !desk.draft.fits(position, *value)) value.reset();
    const std::string name = shown_name(field);
    if (desk.findings.fault(Check::raw_8bit_text,
                            "raw 8-bit text in " + name,
                            "Raw 8-bit text in header: " + name,
                            value ? possible : none)) {
        desk.draft.replace(position, *value);
    }
}

// H34.
void check_8bit_addresses(Desk& desk, std::size_t position, const mail::AddressList& list) {
    if (desk.envelope.smtputf8) return;
    const std::vector<mail::Mailbox> mailboxes = list.mailboxes();
    const bool raw = std::ranges::any_of(mailboxes, [](const mail::Mailbox& m) {
        return !mail::is_ascii(m.local_part) || !mail::is_ascii(m.domain);
    });
    if (!raw) return;
    const auto value = with_ascii_domains(desk.draft.value(position), mailboxes);
    const std::string name = shown_name(desk.draft.name(position));
    if (desk.findings.fault(Check::raw_8bit_address,
                            "8-bit address in " + name,
                            "8-bit address without SMTPUTF8 in header: " + name,
                            value ? possible : none)) {
        desk.draft.replace(position, *value);
    }
}

void check_form(Desk& desk, std::size_t position, const mail::AddressList& list) {
    if (!list.obsolete) return;
    const std::string name = shown_name(desk.draft.name(position));
    desk.findings.fault(
        Check::obsolete_form, "obsolete form in " + name, "Obsolete form in header: " + name, none);
}

void check_from(Desk& desk, std::size_t position) {
    const auto list = mail::parse_addresses(desk.draft.value(position));
    const bool groups = list && std::ranges::any_of(list->addresses, &mail::Address::group);
    if (!list || groups || list->mailboxes().empty()) {
        desk.findings.fault(Check::from_unparsable, "From invalid", "Invalid From", none);
        return;
    }
    if (mail::is_ambiguous(desk.draft.value(position), *list)) {
        // H21: a careless receiver would show, or check, another domain than a strict one.
        desk.findings.fault(Check::from_ambiguous, "From ambiguous", "Ambiguous From", none);
    }
    if (list->mailboxes().size() > 1) {
        // Repaired by the Sender rule, which then adds one: RFC 5322 §3.6.2.
        desk.findings.fault(Check::from_several,
                            "From with several mailboxes",
                            "Several mailboxes in header: From",
                            possible);
    }
    check_form(desk, position, *list);
    check_8bit_addresses(desk, position, *list);
}

void check_sender_field(Desk& desk, std::size_t position) {
    if (mail::parse_mailbox(desk.draft.value(position))) return;
    const auto ours = mail::parse_mailbox(desk.settings.sender);
    if (desk.findings.fault(Check::sender_not_one,
                            "Sender is not one mailbox",
                            "Invalid Sender",
                            ours ? possible : none)) {
        keep_original(desk, position, "X-Original-Sender");
        desk.draft.replace(position, desk.settings.sender);
    }
}

// H24.
void check_list(Desk& desk, std::size_t position) {
    auto list = mail::parse_addresses(desk.draft.value(position));
    if (!list) {
        const auto value = rewritten(desk, position);
        const std::string name = shown_name(desk.draft.name(position));
        if (desk.findings.fault(Check::list_unparsable,
                                name + " unparsable",
                                "Invalid addresses in header: " + name,
                                value ? possible : none)) {
            desk.draft.replace(position, *value);
        }
        list = mail::parse_addresses(desk.draft.value(position));
    }
    if (!list) return;
    check_form(desk, position, *list);
    check_8bit_addresses(desk, position, *list);
}

}  // namespace

void check_addresses(Desk& desk) {
    for (std::size_t i = 0; i < desk.draft.size(); ++i) {
        const FieldTraits traits = desk.draft.traits(i);
        if (traits.form != FieldForm::addresses || desk.draft.removed(i)) continue;
        check_control(desk, i);
        check_names(desk, i);
        switch (traits.name) {
            case FieldName::from:
                check_from(desk, i);
                break;
            case FieldName::sender:
                check_sender_field(desk, i);
                break;
            case FieldName::to:
            case FieldName::cc:
            case FieldName::bcc:
            case FieldName::reply_to:
                check_list(desk, i);
                break;
            default:
                break;  // Errors-To and its like: nobody delivers by them
        }
        check_long_line(desk, i);
    }
}

}  // namespace millrace::policy
