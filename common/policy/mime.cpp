#include "common/policy/checks.hpp"

namespace millrace::policy {

void check_mime(Desk& desk) {
    Draft& draft = desk.draft;
    const bool mime = draft.count(FieldName::content_type) > 0 ||
                      draft.count(FieldName::content_transfer_encoding) > 0 ||
                      draft.count(FieldName::content_other) > 0;
    if (!mime || draft.count(FieldName::mime_version) > 0) return;
    if (desk.findings.fault(Check::mime_version_absent,
                            "MIME-Version missing",
                            "Missing required header: MIME-Version",
                            Findings::Remedy::possible)) {
        draft.append("MIME-Version", "1.0");
    }
}

}  // namespace millrace::policy
