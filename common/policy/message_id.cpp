#include "common/mail/message_id.hpp"

#include "common/mail/header_block.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;

std::string new_message_id(const Desk& desk) {
    const std::string& domain = desk.settings.message_id_domain;
    std::string id = "<";
    id += desk.invention.message_id_left;
    id += '@';
    id += domain.empty() ? "localhost" : domain;
    id += '>';
    return id;
}

}  // namespace

void check_message_id(Desk& desk) {
    Draft& draft = desk.draft;
    const auto remedy = desk.invention.message_id_left.empty() ? none : possible;
    if (draft.count(FieldName::message_id) == 0) {
        if (desk.envelope.mta_adds_message_id) return;
        if (desk.findings.fault(Check::message_id_absent,
                                "Message-ID missing",
                                "Missing required header: Message-ID",
                                remedy)) {
            draft.append("Message-ID", new_message_id(desk));
        }
        return;
    }
    for (const std::size_t position : draft.positions(FieldName::message_id)) {
        if (mail::is_message_id(draft.value(position))) continue;
        if (!desk.findings.fault(Check::message_id_malformed,
                                 "Message-ID malformed",
                                 "Invalid Message-ID",
                                 remedy)) {
            continue;
        }
        const std::string bracketed = '<' + std::string(mail::trim(draft.value(position))) + '>';
        if (mail::is_message_id(bracketed)) {
            draft.replace(position, bracketed);
            continue;
        }
        keep_original(desk, position, "X-Original-Message-ID");
        draft.replace(position, new_message_id(desk));
    }
}

}  // namespace millrace::policy
