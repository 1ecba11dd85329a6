#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;

bool identical(const Draft& draft, const std::vector<std::size_t>& positions) {
    return std::ranges::all_of(
        positions, [&](std::size_t p) { return draft.value(p) == draft.value(positions.front()); });
}

// One list out of several, each part in the writer's own words where its grammar is sound. No value
// when one of them cannot be read: what stands open there would swallow the rest.
std::optional<std::string> merged(const Draft& draft,
                                  const std::vector<std::size_t>& positions,
                                  const mail::TextOptions& options) {
    std::vector<std::string> parts;
    for (const std::size_t position : positions) {
        std::string part(mail::trim(draft.value(position)));
        if (part.empty()) continue;
        if (!mail::parse_addresses(part)) {
            const auto list = mail::parse_addresses(part, mail::Reading::lenient);
            if (!list) return std::nullopt;
            part = mail::trim(mail::write_field(*list, {}, options));
            if (!mail::parse_addresses(part)) return std::nullopt;
        }
        while (part.ends_with(',')) {
            part = mail::trim(std::string_view(part).substr(0, part.size() - 1));
        }
        if (!part.empty() && std::ranges::find(parts, part) == parts.end()) {
            parts.push_back(std::move(part));
        }
    }
    std::string all;
    for (const std::string& part : parts) {
        if (!all.empty()) all += ",\n ";
        all += part;
    }
    return all;
}

void drop_identical(Desk& desk, FieldName name, Check check) {
    if (desk.draft.count(name) < 2) return;
    const std::vector<std::size_t> positions = desk.draft.positions(name);
    const std::string spelling(spelling_of(name));
    const bool repair = desk.findings.fault(check,
                                            spelling + " repeated",
                                            "Repeated header: " + spelling,
                                            identical(desk.draft, positions) ? possible : none);
    if (!repair) return;
    for (std::size_t i = 1; i < positions.size(); ++i) {
        desk.draft.remove(positions[i]);
    }
}

void merge_lists(Desk& desk, FieldName name) {
    if (desk.draft.count(name) < 2) return;
    const std::vector<std::size_t> positions = desk.draft.positions(name);
    const std::string spelling(spelling_of(name));
    const auto list = merged(desk.draft, positions, {desk.settings.fallback_charset, {}});
    const bool fits = list && desk.draft.fits(positions.front(), *list);
    const bool repair = desk.findings.fault(Check::list_repeated,
                                            spelling + " repeated",
                                            "Repeated header: " + spelling,
                                            fits ? possible : none);
    if (!repair) return;
    desk.draft.replace(positions.front(), *list);
    for (std::size_t i = 1; i < positions.size(); ++i) {
        desk.draft.remove(positions[i]);
    }
}

}  // namespace

void check_from_repeated(Desk& desk) {
    if (desk.draft.count(FieldName::from) < 2) return;
    // Never merged: which of them the reader is shown is anyone's guess.
    desk.findings.fault(Check::from_repeated, "From repeated", "Repeated header: From", none);
}

void check_repeated(Desk& desk) {
    for (const FieldName name : {FieldName::sender,
                                 FieldName::reply_to,
                                 FieldName::message_id,
                                 FieldName::date,
                                 FieldName::subject,
                                 FieldName::in_reply_to,
                                 FieldName::references}) {
        drop_identical(desk, name, Check::single_repeated);
    }
    for (const FieldName name : {FieldName::to, FieldName::cc, FieldName::bcc}) {
        merge_lists(desk, name);
    }
    for (const FieldName name :
         {FieldName::content_type, FieldName::content_transfer_encoding, FieldName::mime_version}) {
        drop_identical(desk, name, Check::mime_repeated);
    }
}

}  // namespace millrace::policy
