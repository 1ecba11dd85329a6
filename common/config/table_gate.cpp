#include <fmt/format.h>

#include "common/config/form.hpp"
#include "common/config/table.hpp"

// The part of the table of settings that belongs to the gate.

namespace millrace::config {
namespace {

std::string text_of(const policy::KnownSender& sender) {
    using Scope = policy::KnownSender::Scope;
    switch (sender.scope) {
        case Scope::exact:
            return "=" + sender.name;
        case Scope::only_subdomains:
            return "*." + sender.name;
        case Scope::with_subdomains:
        case Scope::mailbox:
            break;
    }
    return sender.name;
}

void describe_check(Table& t, policy::Settings& g, const policy::CheckRow& row) {
    using policy::Action;
    std::vector<std::string> words{"off", "note", "reject"};
    std::vector<Action> actions{Action::off, Action::note, Action::reject};
    if (row.repairable) {
        words.insert(words.begin() + 2, "repair");
        actions.insert(actions.begin() + 2, Action::repair);
    }
    auto const check = row.check;
    t.word(
        "gate.checks." + policy::code_of(check),
        words,
        [&g, check, actions](std::size_t i) {
            g.actions[static_cast<std::size_t>(check)] = actions[i];
        },
        [&g, check, actions] {
            auto const found = std::find(actions.begin(), actions.end(), g.action(check));
            return static_cast<std::size_t>(found - actions.begin()) % actions.size();
        },
        {row.repairable ? fmt::format("{}. Repair: {}.", row.fault, row.repair_text)
                        : fmt::format("{}. It cannot be repaired.", row.fault),
         {},
         {}});
}

}  // namespace

void describe_gate(Table& t, policy::Settings& g) {
    t.choice(
        "gate.mode",
        g.mode,
        {{"enforce", policy::Mode::enforce}, {"report-only", policy::Mode::report_only}},
        {"`enforce` mends and refuses; `report-only` says in the log what it would do and lets "
         "everything pass unchanged.",
         "a running mail server gets the gate for the first time"});
    t.parsed(
        "gate.known_domains",
        "domains and addresses",
        [&g](const std::vector<std::string>& texts) -> Objection {
            std::vector<policy::KnownSender> known;
            for (auto const& text : texts) {
                auto sender = policy::parse_known_sender(text);
                if (!sender) {
                    return fmt::format(
                        "{} is not a sender: write example.com (with its subdomains), "
                        "=example.com, *.example.com or user@example.com",
                        quote(text));
                }
                known.push_back(std::move(*sender));
            }
            g.known = std::move(known);
            return std::nullopt;
        },
        [&g] {
            std::vector<std::string> texts;
            for (auto const& sender : g.known) {
                texts.push_back(text_of(sender));
            }
            return texts;
        },
        {"Your own From domains: `example.com` with its subdomains, `=example.com` alone, "
         "`*.example.com` only its subdomains, `user@example.com` one mailbox. Empty: the Sender "
         "rule "
         "sleeps.",
         "mail under other people's domains passes through here"});
    t.text("gate.sender",
           g.sender,
           form::mailbox(),
           {"Address in the Sender field that is added to mail from unknown domains.",
            {},
            "postmaster at `relay.hostname`"});
    t.choice("gate.unverified_from",
             g.unverified_from,
             {{"sender-header", policy::UnverifiedFrom::sender_header},
              {"reject", policy::UnverifiedFrom::reject}},
             {"Mail from an unknown domain gets a Sender field, or is refused."});
    t.choice("gate.sender_trigger",
             g.trigger,
             {{"header-from", policy::SenderTrigger::header_from},
              {"mail-from", policy::SenderTrigger::mail_from},
              {"either", policy::SenderTrigger::either}},
             {"Which domain must be known: that of the From field, that of the envelope sender, or "
              "both."});
    t.text("gate.fallback_charset",
           g.fallback_charset,
           form::charset(),
           {"Character set of unencoded 8-bit text that is not UTF-8.",
            "your applications write in another one, such as windows-1251 or shift_jis"});
    t.number("gate.tag_length_max",
             g.tag_length_max,
             {1, 900},
             {"Longest X-tag; a longer one counts as invalid."});
    t.number(
        "gate.field_size_max", g.field_size_max, {998, 1'000'000}, {"Bytes in one header field."});
    t.number("gate.block_size_max",
             g.block_size_max,
             {16'384, 10'000'000},
             {"Bytes in all header fields together."});
    t.number("gate.field_count_max",
             g.field_count_max,
             {50, 100'000},
             {"Header fields of one message."});
    for (auto const& row : policy::check_table()) {
        describe_check(t, g, row);
    }
}

}  // namespace millrace::config
