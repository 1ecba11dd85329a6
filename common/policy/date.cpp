#include "common/mail/date.hpp"

#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// `24 Nov 26`: readers guess the century (RFC 5322 §4.3).
bool has_short_year(std::string_view value) {
    const std::string text = mail::lower(value);
    for (const std::string_view month :
         {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}) {
        const std::size_t at = text.find(month);
        if (at == std::string::npos) continue;
        std::size_t i = at + month.size();
        while (i < text.size() && !is_digit(text[i]))
            ++i;
        std::size_t digits = 0;
        while (i + digits < text.size() && is_digit(text[i + digits]))
            ++digits;
        return digits > 0 && digits < 4;
    }
    return false;
}

}  // namespace

void check_date(Desk& desk) {
    Draft& draft = desk.draft;
    const std::string_view now = desk.invention.date;
    if (draft.count(FieldName::date) == 0) {
        if (desk.envelope.mta_adds_message_id) return;  // the MTA adds a Date after us
        if (desk.findings.fault(Check::date_absent,
                                "Date missing",
                                "Missing required header: Date",
                                now.empty() ? none : possible)) {
            draft.append("Date", now);
        }
        return;
    }
    for (const std::size_t position : draft.positions(FieldName::date)) {
        const std::string_view value = draft.value(position);
        if (mail::parse_date(value)) {
            if (has_short_year(value)) {
                desk.findings.fault(
                    Check::obsolete_form, "Date with a short year", "Obsolete form of Date", none);
            }
            continue;
        }
        if (!desk.findings.fault(Check::date_unparsable,
                                 "Date unparsable",
                                 "Invalid Date",
                                 now.empty() ? none : possible)) {
            continue;
        }
        keep_original(desk, position, "X-Original-Date");
        draft.replace(position, now);
    }
}

}  // namespace millrace::policy
