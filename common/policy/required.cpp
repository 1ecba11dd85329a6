#include "common/mail/address.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

// Absent, and whether the check wants it added.
bool missing(Desk& desk, FieldName name, Check check, Findings::Remedy remedy) {
    if (desk.draft.count(name) > 0) return false;
    const std::string spelling(spelling_of(name));
    return desk.findings.fault(
        check, spelling + " missing", "Missing required header: " + spelling, remedy);
}

}  // namespace

void check_required(Desk& desk) {
    using enum Findings::Remedy;
    const auto author = mail::parse_address(desk.envelope.mail_from);
    if (missing(desk, FieldName::from, Check::from_absent, author ? possible : none)) {
        desk.draft.append("From", author->address());
    }
    if (missing(desk, FieldName::to, Check::to_absent, possible)) {
        desk.draft.append("To", "undisclosed-recipients:;");
    }
    if (missing(desk, FieldName::subject, Check::subject_absent, possible)) {
        desk.draft.append("Subject", "");
    }
}

}  // namespace millrace::policy
