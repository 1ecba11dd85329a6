#include <algorithm>

#include "common/mail/header_block.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

constexpr std::string_view no_tag = "email";

bool is_tag(std::string_view text, std::size_t length_max) {
    return !text.empty() && text.size() <= length_max && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    });
}

}  // namespace

std::string check_tag(Desk& desk) {
    std::optional<std::string> tag;
    bool invalid = false;
    bool different = false;
    for (const std::size_t position : desk.draft.positions(FieldName::tag)) {
        const std::string value = mail::unfold(desk.draft.value(position));
        const std::string_view text = mail::trim(value);
        if (text.empty()) continue;
        if (!is_tag(text, desk.settings.tag_length_max)) {
            invalid = true;
        } else if (!tag) {
            tag = text;
        } else if (*tag != text) {
            different = true;
        }
    }
    if (invalid) {
        desk.findings.fault(
            Check::tag_invalid, "X-tag invalid", "Invalid X-tag", Findings::Remedy::none);
    }
    if (different) {
        desk.findings.fault(Check::tag_invalid,
                            "X-tag repeated with different values",
                            "Repeated header: X-tag",
                            Findings::Remedy::none);
    }
    return tag ? *tag : std::string(no_tag);
}

}  // namespace millrace::policy
