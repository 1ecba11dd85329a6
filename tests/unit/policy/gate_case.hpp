#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "common/mail/header_block.hpp"
#include "common/policy/gate.hpp"

/// A message for the gate, written as its header block with LF line ends.
namespace millrace::policy::test {

inline constexpr Invention invention{"Tue, 24 Nov 2026 08:15:30 +0000", "unique"};

struct GateCase {
    std::string block;
    Settings settings;
    Envelope envelope;
    mail::HeaderBlock parsed;

    explicit GateCase(std::string text) : block(std::move(text)) {
        settings.sender = "postmaster@relay.example.net";
        settings.message_id_domain = "relay.example.net";
        envelope.mail_from = "app@example.com";
        envelope.origin = Origin::submission;
    }

    GateCase& with(Check check, Action action) {
        settings.actions[static_cast<std::size_t>(check)] = action;
        return *this;
    }
    GateCase& knowing(std::string_view known) {
        settings.known.push_back(parse_known_sender(known).value());
        return *this;
    }
    GateCase& from(Origin origin) {
        envelope.origin = origin;
        return *this;
    }

    Outcome run() {
        parsed = mail::parse_header_block(block, mail::LineEnd::lf);
        return evaluate(envelope, parsed.fields, settings, invention);
    }

    /// The block after the edits, as text; the reply when it is refused.
    std::string result() {
        const Outcome outcome = run();
        if (outcome.verdict.kind == Verdict::Kind::reject) return reply(outcome);
        std::string text;
        for (const auto& field : policy::apply(parsed.fields, outcome.edits)) {
            text += field.name + ':' + field.value + '\n';
        }
        return text;
    }

    static std::string reply(const Outcome& outcome) {
        return std::to_string(outcome.verdict.code) + ' ' + outcome.verdict.enhanced + ' ' +
               outcome.verdict.text;
    }
};

inline bool has_defect(const Outcome& outcome, std::string_view code) {
    return std::ranges::find(outcome.defects, code, &Defect::code) != outcome.defects.end();
}

inline constexpr std::string_view clean =
    "From: Ann <ann@example.com>\n"
    "To: bob@example.org\n"
    "Subject: hello\n"
    "Date: Tue, 24 Nov 2026 08:00:00 +0000\n"
    "Message-ID: <1@example.com>\n";

/// The clean block with the named field's line put in its place; an empty line takes it out.
inline std::string clean_but(std::string_view name, std::string_view line) {
    std::string out;
    for (std::size_t at = 0; at < clean.size();) {
        const std::size_t end = clean.find('\n', at) + 1;
        const std::string_view whole = clean.substr(at, end - at);
        const bool named = whole.starts_with(name) && whole[name.size()] == ':';
        out += named ? line : whole;
        at = end;
    }
    return out;
}
inline std::string clean_and(std::string_view lines) {
    return std::string(clean) + std::string(lines);
}

}  // namespace millrace::policy::test
