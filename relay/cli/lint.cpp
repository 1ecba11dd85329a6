#include "relay/cli/lint.hpp"

#include <algorithm>
#include <ostream>

#include <boost/json.hpp>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/edit_block.hpp"
#include "common/policy/framing.hpp"
#include "common/policy/value_scan.hpp"

namespace millrace::relay {

namespace {

namespace json = boost::json;
using policy::Defect;
using policy::Edit;
using policy::Outcome;
using policy::Verdict;

// A file has no envelope; a null sender would turn refusals into notes.
std::string envelope_sender(const mail::HeaderBlock& block,
                            const policy::Settings& settings,
                            const LintOptions& options) {
    if (!options.mail_from.empty()) return options.mail_from;
    if (const auto* from = mail::find_field(block.fields, "From")) {
        const auto list = mail::parse_addresses(from->value, mail::Reading::lenient);
        if (list && !list->mailboxes().empty()) return list->mailboxes().front().address();
    }
    if (const auto ours = mail::parse_mailbox(settings.sender)) return ours->address();
    return "sender@localhost";
}

Outcome judge(std::string_view message,
              const mail::HeaderBlock& block,
              mail::LineEnd line_end,
              const policy::Settings& settings,
              const LintOptions& options) {
    const policy::BodyScan body = policy::scan_body(message.substr(block.body_offset), line_end);
    policy::Framing framing = policy::check_framing(block, body, settings);
    const std::string sender = envelope_sender(block, settings, options);
    policy::Envelope envelope;
    envelope.mail_from = sender;
    envelope.origin = policy::Origin::submission;
    Outcome outcome = policy::evaluate(envelope, block.fields, settings, options.invention);
    if (framing.verdict.kind != Verdict::Kind::reject &&
        outcome.verdict.kind != Verdict::Kind::reject) {
        framing.verdict = policy::check_edited(
            policy::edit_block(message, block, outcome.edits, line_end), settings);
    }
    if (framing.verdict.kind == Verdict::Kind::reject) {
        outcome.verdict = framing.verdict;
        outcome.edits.clear();
    }
    outcome.defects.insert(outcome.defects.begin(),
                           std::make_move_iterator(framing.defects.begin()),
                           std::make_move_iterator(framing.defects.end()));
    if (body.longest_line > policy::line_max) {
        outcome.defects.push_back({policy::code_of(policy::Check::body_line_too_long),
                                   "Body line over 998 octets: passes through the milter, is "
                                   "re-encoded or refused by the relay"});
    }
    return outcome;
}

std::string reply_of(const Verdict& verdict) {
    return std::to_string(verdict.code) + ' ' + verdict.enhanced + ' ' + verdict.text;
}

// The value an edit takes the place of, as it stands; empty for additions.
std::string_view value_before(const mail::HeaderBlock& block, const Edit& edit) {
    unsigned nth = 0;
    for (const mail::HeaderField& field : block.fields) {
        if (mail::same_name(field.name, edit.name) && ++nth == edit.nth) return field.value;
    }
    return {};
}

std::string_view word_of(Edit::Kind kind) {
    switch (kind) {
        case Edit::Kind::append:
            return "add";
        case Edit::Kind::insert_top:
            return "add on top";
        case Edit::Kind::replace:
            return "replace";
        case Edit::Kind::remove:
            return "remove";
    }
    return {};
}

std::string_view word_of(Verdict::Kind kind) {
    switch (kind) {
        case Verdict::Kind::accept:
            return "accept";
        case Verdict::Kind::reject:
            return "reject";
        case Verdict::Kind::untouched:
            return "untouched";
    }
    return {};
}

// For a terminal: what would move the cursor or is no ASCII is shown as \xNN.
std::string shown(std::string_view value) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : value) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\r') continue;
        if (c == '\n') {
            out += "\n     ";
        } else if (c == '\t' || (byte >= 0x20 && byte < 0x7f)) {
            out += c;
        } else {
            out += "\\x";
            out += hex[byte >> 4];
            out += hex[byte & 15];
        }
    }
    return out;
}

void print_text(const Outcome& outcome, const mail::HeaderBlock& block, std::ostream& out) {
    if (outcome.verdict.kind == Verdict::Kind::reject) {
        out << "refused: " << reply_of(outcome.verdict) << '\n';
    } else {
        out << "accepted" << (outcome.edits.empty() ? ", unchanged" : ", mended") << '\n';
    }
    out << "tag: " << outcome.tag << '\n'
        << "class: " << (outcome.bulk ? "bulk" : "transactional") << '\n';
    for (const Defect& defect : outcome.defects) {
        out << "defect " << defect.code << ": " << defect.detail << '\n';
    }
    for (const Edit& edit : outcome.edits) {
        out << word_of(edit.kind) << ' ' << edit.name << '\n';
        if (edit.nth > 0) out << "  -  " << shown(mail::trim(value_before(block, edit))) << '\n';
        if (edit.kind != Edit::Kind::remove)
            out << "  +  " << shown(mail::trim(edit.value)) << '\n';
    }
}

// JSON is UTF-8; bytes of a header need not be.
json::string text(std::string_view bytes) {
    return json::string(mail::replace_invalid_utf8(bytes));
}

void print_json(const Outcome& outcome, const mail::HeaderBlock& block, std::ostream& out) {
    json::object report;
    report["verdict"] = word_of(outcome.verdict.kind);
    if (outcome.verdict.kind == Verdict::Kind::reject) {
        report["code"] = outcome.verdict.code;
        report["enhanced"] = outcome.verdict.enhanced;
        report["text"] = outcome.verdict.text;
    }
    report["tag"] = outcome.tag;
    report["class"] = outcome.bulk ? "bulk" : "transactional";
    json::array& defects = report["defects"].emplace_array();
    for (const Defect& defect : outcome.defects) {
        defects.push_back({{"code", defect.code}, {"detail", defect.detail}});
    }
    json::array& edits = report["edits"].emplace_array();
    for (const Edit& edit : outcome.edits) {
        json::object entry{{"kind", word_of(edit.kind)}, {"name", edit.name}};
        if (edit.nth > 0) {
            entry["nth"] = edit.nth;
            entry["before"] = text(value_before(block, edit));
        }
        if (edit.kind != Edit::Kind::remove) entry["after"] = text(edit.value);
        edits.push_back(std::move(entry));
    }
    out << json::serialize(report) << '\n';
}

}  // namespace

int lint(std::string_view message,
         const policy::Settings& settings,
         const LintOptions& options,
         std::ostream& out,
         std::ostream& err) {
    const mail::LineEnd line_end = mail::detect_line_end(message);
    const mail::HeaderBlock block = mail::parse_header_block(message, line_end);
    const Outcome outcome = judge(message, block, line_end, settings, options);
    const bool refused = outcome.verdict.kind == Verdict::Kind::reject;
    if (options.json) {
        print_json(outcome, block, out);
    } else if (!options.apply) {
        print_text(outcome, block, out);
    } else if (refused) {
        err << reply_of(outcome.verdict) << '\n';
    } else {
        out << policy::edit_block(message, block, outcome.edits, line_end);
    }
    return refused ? 1 : 0;
}

}  // namespace millrace::relay
