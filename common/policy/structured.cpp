#include "common/policy/checks.hpp"
#include "common/policy/refold.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;

// Identifiers and parameters: a control character cannot be taken out without changing the meaning.
// Trace fields were written by others on the way; refusing mail for them would punish the wrong
// one.
void check_bytes(Desk& desk, std::size_t position) {
    const ValueScan& scan = desk.draft.scan(position);
    const std::string name = shown_name(desk.draft.name(position));
    const bool trace = desk.draft.traits(position).form == FieldForm::trace;
    if (scan.has_control) {
        if (trace) {
            desk.findings.remark("trace-control", "control characters in " + name);
        } else {
            desk.findings.fault(Check::control_characters,
                                "control characters in " + name,
                                "Control characters in header: " + name,
                                none);
        }
    }
    if (scan.has_8bit) {
        desk.findings.fault(Check::raw_8bit_elsewhere,
                            "raw 8-bit bytes in " + name,
                            "Raw 8-bit bytes in header: " + name,
                            none);
    }
}

}  // namespace

void check_long_line(Desk& desk, std::size_t position) {
    if (desk.draft.scan(position).longest_line <= line_max) return;
    const std::string_view field = desk.draft.name(position);
    const std::string name = shown_name(field);
    const bool addresses = desk.draft.traits(position).form == FieldForm::addresses;
    const std::string_view value = desk.draft.value(position);
    const std::string folded = addresses ? fold_long_addresses(value, field)
                                         : fold_long_lines(canonical_value(value), field);
    const bool enough = scan_value(field, folded).longest_line <= line_max;
    const bool repair = desk.findings.fault(Check::line_too_long,
                                            "line too long in " + name,
                                            "Line too long in header: " + name,
                                            enough ? possible : none);
    if (repair) desk.draft.replace(position, folded);
}

void check_structured(Desk& desk) {
    for (std::size_t i = 0; i < desk.draft.size(); ++i) {
        const FieldForm form = desk.draft.traits(i).form;
        if (desk.draft.removed(i) || form == FieldForm::text || form == FieldForm::addresses) {
            continue;
        }
        check_bytes(desk, i);
        check_long_line(desk, i);
    }
}

}  // namespace millrace::policy
