// What the gate does with a message, without any MTA: the yardstick for tests/e2e/mta.
//
//   gate_model -c FILE --sender ADDRESS [--origin submission|local|smtp] [--smtputf8]
//   [--mta-adds-id] < MESSAGE
//
// Prints `verdict KIND CODE ENHANCED TEXT`, `defects H04,…`, one `edit KIND NAME NTH` per edit and
// one `field NAME VALUE` per field of the result; names and values in hexadecimal, values with LF
// folds.
#include <cstdio>
#include <fmt/format.h>
#include <iterator>
#include <string>
#include <string_view>

#include "common/config/load.hpp"
#include "common/policy/gate.hpp"
#include "milter/rules.hpp"

namespace {

using namespace millrace;

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes)
        out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out.empty() ? "-" : out;
}

/// As the milter protocol shows a message: LF ends a line.
std::string read_message() {
    std::string text;
    for (int c = 0; (c = std::getchar()) != EOF;) {
        if (c == '\n' && text.ends_with('\r')) text.pop_back();
        text += static_cast<char>(c);
    }
    return text;
}

std::string_view word(policy::Verdict::Kind kind) {
    switch (kind) {
        case policy::Verdict::Kind::accept:
            return "accept";
        case policy::Verdict::Kind::reject:
            return "reject";
        case policy::Verdict::Kind::untouched:
            break;
    }
    return "untouched";
}

std::string_view word(policy::Edit::Kind kind) {
    switch (kind) {
        case policy::Edit::Kind::append:
            return "append";
        case policy::Edit::Kind::insert_top:
            return "insert_top";
        case policy::Edit::Kind::replace:
            return "replace";
        case policy::Edit::Kind::remove:
            break;
    }
    return "remove";
}

}  // namespace

int main(int argc, char** argv) {
    std::string file, sender;
    policy::Envelope envelope;
    envelope.origin = policy::Origin::submission;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        const auto next = [&]() -> std::string {
            return i + 1 < argc ? argv[++i] : "";
        };
        if (option == "-c") file = next();
        if (option == "--sender") sender = next();
        if (option == "--smtputf8") envelope.smtputf8 = true;
        if (option == "--mta-adds-id") envelope.mta_adds_message_id = true;
        if (option == "--origin") {
            const std::string value = next();
            envelope.origin = value == "local"  ? policy::Origin::local
                              : value == "smtp" ? policy::Origin::smtp
                                                : policy::Origin::submission;
        }
    }
    envelope.mail_from = sender;
    const auto settings = config::load(file, config::Missing::is_error);
    if (!settings) {
        fmt::print(stderr, "{}\n", settings.error().detail);
        return 78;
    }
    const auto rules = milter::make_rules(**settings);
    const std::string message = read_message();
    const auto block = mail::parse_header_block(message, mail::LineEnd::lf);
    const auto outcome =
        policy::evaluate(envelope,
                         block.fields,
                         rules->gate,
                         {.date = "Tue, 24 Nov 2026 08:15:30 +0000", .message_id_left = "model"});
    fmt::print("verdict {} {} {} {}\n",
               word(outcome.verdict.kind),
               outcome.verdict.code,
               outcome.verdict.enhanced,
               outcome.verdict.text);
    std::string codes;
    for (const auto& defect : outcome.defects)
        codes += (codes.empty() ? "" : ",") + defect.code;
    fmt::print("defects {}\ntag {}\n", codes.empty() ? "-" : codes, outcome.tag);
    for (const auto& edit : outcome.edits) {
        fmt::print("edit {} {} {}\n", word(edit.kind), hex(edit.name), edit.nth);
    }
    for (const auto& field : policy::apply(block.fields, outcome.edits)) {
        fmt::print("field {} {}\n", hex(field.name), hex(field.value));
    }
}
