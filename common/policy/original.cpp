#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

void keep_original(Desk& desk, std::size_t position, std::string_view name) {
    const std::string value(mail::trim(desk.draft.value(position)));
    if (value.empty()) return;
    mail::TextOptions options;
    options.fallback_charset = desk.settings.fallback_charset;
    const mail::Repair repair = mail::repair_unstructured(value, name, options);
    desk.draft.append(name, repair.changed ? repair.value : value);
}

}  // namespace millrace::policy
