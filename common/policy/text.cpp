#include "common/mail/media_type.hpp"
#include "common/mail/subject.hpp"
#include "common/policy/checks.hpp"

namespace millrace::policy {

namespace {

using mail::TextDefect;

struct Numbered {
    TextDefect defect;
    Check check;
    std::string_view fault;
    std::string_view reply;
};
constexpr Numbered numbered[] = {
    {TextDefect::raw_8bit,
     Check::raw_8bit_text,
     "raw 8-bit text in ",
     "Raw 8-bit text in header: "},
    {TextDefect::control,
     Check::control_characters,
     "control characters in ",
     "Control characters in header: "},
    {TextDefect::long_line, Check::line_too_long, "line too long in ", "Line too long in header: "},
};

// Faults of encoded-words that have no check of their own: the Subject is mended, always.
constexpr TextDefect mended[] = {TextDefect::malformed_word,
                                 TextDefect::long_word,
                                 TextDefect::unknown_charset,
                                 TextDefect::undecodable,
                                 TextDefect::mislabelled,
                                 TextDefect::blank_fold};
constexpr TextDefect remarked[] = {
    TextDefect::charset_guess, TextDefect::mislabel_suspect, TextDefect::bidi_override};

// Whether a check with a number wants the repair; faults of its kind are reported.
bool numbered_faults(Desk& desk, std::string_view name, mail::TextDefects defects) {
    bool wanted = false;
    for (const Numbered& n : numbered) {
        if (!defects.has(n.defect)) continue;
        const std::string shown = shown_name(name);
        wanted = desk.findings.fault(n.check,
                                     std::string(n.fault) + shown,
                                     std::string(n.reply) + shown,
                                     Findings::Remedy::possible) ||
                 wanted;
    }
    return wanted;
}

void check_subject(Desk& desk, std::size_t position, const mail::TextOptions& options) {
    const mail::Repair repair =
        mail::repair_unstructured(desk.draft.value(position), "Subject", options);
    bool wanted = numbered_faults(desk, "Subject", repair.defects);
    for (const TextDefect defect : mended) {
        if (!repair.defects.has(defect)) continue;
        desk.findings.remark("subject-" + std::string(mail::name_of(defect)), "Subject mended");
        wanted = desk.findings.may_edit();
    }
    for (const TextDefect defect : remarked) {
        if (!repair.defects.has(defect)) continue;
        desk.findings.remark("subject-" + std::string(mail::name_of(defect)), "Subject");
    }
    if (wanted && repair.changed) desk.draft.replace(position, repair.value);
}

void check_optional(Desk& desk, std::size_t position, const mail::TextOptions& options) {
    const ValueScan& scan = desk.draft.scan(position);
    if (!scan.has_8bit && !scan.has_control && scan.longest_line <= line_max) return;
    mail::TextDefects found;
    if (scan.has_8bit) found.add(TextDefect::raw_8bit);
    if (scan.has_control) found.add(TextDefect::control);
    if (scan.longest_line > line_max) found.add(TextDefect::long_line);
    const std::string_view name = desk.draft.name(position);
    if (!numbered_faults(desk, name, found)) return;
    if (!scan.has_8bit && !scan.has_control) {
        // Folding keeps the bytes: X- fields often carry data that encoding would spoil.
        desk.draft.replace(position, desk.draft.value(position));
        if (desk.draft.scan(position).longest_line <= line_max) return;
    }
    const mail::Repair repair =
        mail::repair_unstructured(desk.draft.value(position), name, options);
    if (repair.changed) desk.draft.replace(position, repair.value);
}

}  // namespace

void check_text(Desk& desk) {
    mail::TextOptions options;
    options.fallback_charset = desk.settings.fallback_charset;
    std::string charset;
    if (const std::size_t p = desk.draft.first(FieldName::content_type); p != Draft::npos) {
        charset = mail::charset_of(desk.draft.value(p));
        options.content_charset = charset;
    }
    for (std::size_t i = 0; i < desk.draft.size(); ++i) {
        const FieldTraits traits = desk.draft.traits(i);
        if (traits.form != FieldForm::text || desk.draft.removed(i)) continue;
        if (traits.name == FieldName::subject) {
            check_subject(desk, i, options);
        } else {
            check_optional(desk, i, options);
        }
    }
}

}  // namespace millrace::policy
