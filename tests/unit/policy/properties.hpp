#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/policy/edit_block.hpp"
#include "common/policy/field_name.hpp"
#include "common/policy/gate.hpp"
#include "common/policy/sealed.hpp"
#include "common/policy/value_scan.hpp"

/// What must hold for every message whatever its bytes, as functions that say what does not: shared
/// by the unit tests and the fuzz targets.
namespace millrace::policy::test {

using Fault = std::optional<std::string>;  ///< what is wrong; none: all is well

inline std::vector<mail::HeaderField> views(const std::vector<mail::OwnedField>& fields) {
    std::vector<mail::HeaderField> out;
    for (const auto& field : fields)
        out.push_back({field.name, field.value});
    return out;
}

/// A value any MTA can be given: leading blank, clean folds, no line over 998, words within 75.
inline Fault wrong_edit(const Edit& edit) {
    if (edit.kind == Edit::Kind::remove) return std::nullopt;
    const std::string& v = edit.value;
    if (v.empty() || (v[0] != ' ' && v[0] != '\t')) return "no leading blank";
    if (v.find('\r') != v.npos || v.find('\0') != v.npos) return "CR or NUL";
    std::size_t column = edit.name.size() + 1;
    bool text = true;  // the name stands on the first line
    for (std::size_t i = 0; i <= v.size(); ++i) {
        if (i < v.size() && v[i] != '\n') {
            ++column;
            text = text || (v[i] != ' ' && v[i] != '\t');
            continue;
        }
        if (column > line_max) return "line over 998";
        if (!text) return "line of nothing but blanks";
        if (i < v.size() && (i + 1 == v.size() || (v[i + 1] != ' ' && v[i + 1] != '\t'))) {
            return "bare LF";
        }
        column = 0;
        text = false;
    }
    if (!mail::same_name(edit.name, "Subject")) return std::nullopt;
    if (!mail::is_ascii(v)) return "8-bit Subject";
    for (std::size_t at = v.find("=?"); at != v.npos; at = v.find("=?", at + 2)) {
        const std::size_t end = v.find_first_of(" \t\n", at);
        if (std::min(end, v.size()) - at > 75 && v.find("?=", at) != v.npos) return "long word";
    }
    return std::nullopt;
}

/// Fields that no edit names come out byte for byte, in order.
inline Fault wrong_apply(std::span<const mail::HeaderField> before,
                         std::span<const Edit> edits,
                         const std::vector<mail::OwnedField>& after) {
    std::size_t at = 0;
    for (const Edit& edit : edits)
        at += edit.kind == Edit::Kind::insert_top ? 1 : 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        unsigned nth = 1;
        for (std::size_t k = 0; k < i; ++k)
            nth += mail::same_name(before[k].name, before[i].name);
        const Edit* named = nullptr;
        for (const Edit& edit : edits) {
            if (edit.nth == nth && mail::same_name(edit.name, before[i].name) &&
                (edit.kind == Edit::Kind::replace || edit.kind == Edit::Kind::remove)) {
                named = &edit;
            }
        }
        if (named != nullptr && named->kind == Edit::Kind::remove) continue;
        if (at >= after.size()) return "a field is lost";
        const std::string_view value = named != nullptr ? named->value : before[i].value;
        if (after[at].name != before[i].name || after[at].value != value) {
            return "field " + std::to_string(i) + " is not what it should be";
        }
        ++at;
    }
    return std::nullopt;
}

/// What a strict reader asks of mail that the gate let through under its defaults.
inline Fault wrong_result(std::span<const mail::HeaderField> fields) {
    for (const char* name : {"From", "To", "Subject"}) {
        if (mail::count_fields(fields, name) != 1) return std::string("not one ") + name;
    }
    if (!mail::parse_addresses(mail::find_field(fields, "From")->value)) return "From unparsable";
    if (!mail::is_ascii(mail::find_field(fields, "Subject")->value)) return "8-bit Subject";
    for (const auto& field : fields) {
        const ValueScan scan = scan_value(field.name, field.value);
        if (scan.longest_line > line_max) return "long line in " + std::string(field.name);
        if (scan.has_control && traits_of(field.name).form != FieldForm::trace) {
            return "control characters in " + std::string(field.name);
        }
        if (scan.has_8bit && traits_of(field.name).form == FieldForm::text) {
            return "8-bit text in " + std::string(field.name);
        }
    }
    return std::nullopt;
}

/// Everything the gate promises about one message. `defaults`: the checks stand as documented and
/// refusals are refusals.
inline Fault wrong_gate(const Envelope& envelope,
                        std::span<const mail::HeaderField> fields,
                        const Settings& settings,
                        const Invention& invention,
                        bool defaults) {
    const Outcome outcome = evaluate(envelope, fields, settings, invention);
    if (outcome != evaluate(envelope, fields, settings, invention)) return "not deterministic";
    for (const Edit& edit : outcome.edits) {
        if (auto fault = wrong_edit(edit)) return *fault + " in " + edit.name + ':' + edit.value;
    }
    const bool rejected = outcome.verdict.kind == Verdict::Kind::reject;
    if (rejected && !outcome.edits.empty()) return "edits on a refusal";
    for (const char c : outcome.verdict.text) {
        if (c < 0x20 || c == 0x7f || c == '%') return "unprintable reply";
    }
    const auto after = policy::apply(fields, outcome.edits);
    if (auto fault = wrong_apply(fields, outcome.edits, after)) return fault;
    const auto again_fields = views(after);
    const Outcome again = evaluate(envelope, again_fields, settings, invention);
    if (!again.edits.empty()) {
        const Edit& edit = again.edits.front();
        std::string first;
        for (const Edit& e : outcome.edits)
            first += e.name + ':' + e.value + '\n';
        return "a second pass edits " + edit.name + ':' + edit.value + "; the first made " + first;
    }
    if (again.verdict != outcome.verdict) return "a second pass says " + again.verdict.text;
    if (again.tag != outcome.tag || again.bulk != outcome.bulk) return "tag or class changed";
    if (is_sealed(fields)) return outcome.edits.empty() ? Fault() : "sealed mail was edited";
    if (!defaults || rejected) return std::nullopt;
    return wrong_result(again_fields);
}

/// The bytes of a message after its edits say what the model says, and the body is untouched.
inline Fault wrong_block(std::string_view message,
                         std::span<const Edit> edits,
                         mail::LineEnd line_end) {
    const mail::HeaderBlock block = mail::parse_header_block(message, line_end);
    const std::string result = edit_block(message, block, edits, line_end);
    const mail::HeaderBlock parsed = mail::parse_header_block(result, line_end);
    const auto model = policy::apply(block.fields, edits);
    if (model.size() != parsed.fields.size()) return "another number of fields";
    for (std::size_t i = 0; i < model.size(); ++i) {
        std::string value(parsed.fields[i].value);
        std::string wanted = model[i].value;
        if (line_end == mail::LineEnd::crlf) {
            std::erase(value, '\r');
            std::erase(wanted, '\r');
        }
        if (model[i].name != parsed.fields[i].name || value != wanted) {
            return "field " + model[i].name + " reads " + value;
        }
    }
    if (message.substr(block.body_offset) != std::string_view(result).substr(parsed.body_offset)) {
        return "the body changed";
    }
    return std::nullopt;
}

}  // namespace millrace::policy::test
