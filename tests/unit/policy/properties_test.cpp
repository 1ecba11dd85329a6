#include "tests/unit/policy/properties.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/unit/policy/gate_case.hpp"

// Goal: for every message whatever its bytes the gate is deterministic and idempotent, touches only
// what it names, and lets nothing through that a strict reader refuses. Generated messages put real
// faults side by side; real ones come from tests/data/gate and, where they are there, the corpora.
namespace millrace::policy::test {
namespace {

/// splitmix64: the same messages on every machine.
class Dice {
  public:
    explicit Dice(std::uint64_t seed) : state_(seed) {}
    std::size_t below(std::size_t bound) {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
    }

  private:
    std::uint64_t state_;
};

constexpr std::string_view names[] = {
    "From",       "To",          "Cc",           "Bcc",          "Subject",
    "subject",    "Date",        "Message-ID",   "Sender",       "Reply-To",
    "References", "In-Reply-To", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
    "X-tag",      "X-Mailer",    "Comments",     "Received",     "DKIM-Signature",
    "List-Id",    "Resent-From", "Precedence",   "Errors-To",    "Content-Description",
    "X-\xc3\xa9"};

constexpr std::string_view pieces[] = {" ann@example.com",
                                       " Ann <ann@example.com>",
                                       " bob@example.org",
                                       ",",
                                       ";",
                                       "<",
                                       ">",
                                       "\"",
                                       " caf\xc3\xa9",
                                       " \xe9",
                                       "\n ",
                                       "\n\t",
                                       " \n \n ",
                                       "=?UTF-8?Q?",
                                       "?=",
                                       " =?utf-8?B?Y2Fmw6k=?=",
                                       " =?x?q?a b?=",
                                       " hello",
                                       "(comment)",
                                       "(",
                                       ")",
                                       "\\",
                                       " team:",
                                       "@",
                                       " b\xc3\xbc"
                                       "cher.example",
                                       " <1@example.com>",
                                       " Tue, 24 Nov 2026 08:00:00 +0000",
                                       " text/plain; charset=utf-8",
                                       " 1.0",
                                       "\a",
                                       "\x1b$B2q5D\x1b(B",
                                       "\x7f",
                                       " v=1; d=example.com; b=x",
                                       " bulk",
                                       " a",
                                       "\t",
                                       "  ",
                                       ".",
                                       "%s"};

std::vector<mail::OwnedField> random_fields(Dice& dice, const Settings& settings) {
    std::vector<mail::OwnedField> fields;
    const std::size_t count = dice.below(12);
    if (dice.below(2) == 0) {
        fields = {{"From", " a@example.com"}, {"To", " b@example.org"}, {"Subject", " x"}};
    }
    for (std::size_t i = 0; i < count; ++i) {
        std::string value;
        const std::size_t parts = dice.below(6);
        for (std::size_t k = 0; k < parts; ++k)
            value += pieces[dice.below(std::size(pieces))];
        if (dice.below(30) == 0) {
            value += std::string(900 + dice.below(400), dice.below(2) == 0 ? ' ' : 'x');
            value += pieces[dice.below(std::size(pieces))];
        }
        if (dice.below(60) == 0) value += settings.sender;
        fields.push_back({std::string(names[dice.below(std::size(names))]), value});
    }
    return fields;
}

Settings random_settings(Dice& dice, bool defaults) {
    Settings settings = GateCase("").settings;
    if (dice.below(2) == 0) settings.known.push_back(*parse_known_sender("example.com"));
    if (defaults) return settings;
    for (const CheckRow& row : check_table()) {
        if (dice.below(3) == 0) {
            settings.actions[static_cast<std::size_t>(row.check)] =
                static_cast<Action>(dice.below(4));
        }
    }
    if (dice.below(4) == 0) settings.sender.clear();
    if (dice.below(4) == 0) settings.unverified_from = UnverifiedFrom::reject;
    settings.trigger = static_cast<SenderTrigger>(dice.below(3));
    return settings;
}

std::string shown(const std::vector<mail::OwnedField>& fields) {
    std::string text;
    for (const auto& f : fields)
        text += f.name + ':' + f.value + '\n';
    return text;
}

TEST(PropertiesTest, HoldForGeneratedHeaderBlocks) {
    constexpr std::string_view senders[] = {
        "app@example.com", "app@unknown.example", "", "nonsense"};
    unsigned edited = 0;
    unsigned rejected = 0;
    for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
        Dice dice(seed);
        const bool defaults = seed % 2 == 0;
        const Settings settings = random_settings(dice, defaults);
        const auto fields = random_fields(dice, settings);
        Envelope envelope;
        envelope.mail_from = senders[dice.below(4)];
        envelope.origin = static_cast<Origin>(dice.below(3));
        envelope.smtputf8 = dice.below(4) == 0;
        envelope.mta_adds_message_id = dice.below(4) == 0;
        const bool strict =
            defaults && envelope.origin != Origin::local && !envelope.mail_from.empty();
        const auto fault = wrong_gate(envelope, views(fields), settings, invention, strict);
        ASSERT_FALSE(fault) << "seed " << seed << ": " << *fault << "\n" << shown(fields);
        const Outcome outcome = evaluate(envelope, views(fields), settings, invention);
        edited += outcome.edits.empty() ? 0 : 1;
        rejected += outcome.verdict.kind == Verdict::Kind::reject ? 1 : 0;
    }
    // A generator that makes only refusals would prove nothing.
    EXPECT_GT(edited, 1000U);
    EXPECT_GT(rejected, 1000U);
}

std::string read(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

Fault wrong_message(const std::string& message) {
    const mail::LineEnd line_end = mail::detect_line_end(message);
    const mail::HeaderBlock block = mail::parse_header_block(message, line_end);
    for (const Origin origin : {Origin::submission, Origin::local}) {
        GateCase c("");
        c.knowing("example.com").from(origin);
        if (auto fault = wrong_gate(
                c.envelope, block.fields, c.settings, invention, origin == Origin::submission)) {
            return fault;
        }
        const Outcome outcome = evaluate(c.envelope, block.fields, c.settings, invention);
        if (auto fault = wrong_block(message, outcome.edits, line_end)) return fault;
    }
    return std::nullopt;
}

unsigned check_folder(const std::filesystem::path& folder) {
    unsigned seen = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file() || entry.file_size() > 4'000'000) continue;
        const auto fault = wrong_message(read(entry.path()));
        EXPECT_FALSE(fault) << entry.path() << ": " << *fault;
        ++seen;
    }
    return seen;
}

TEST(PropertiesTest, HoldForUglyMail) {
    EXPECT_GE(check_folder(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/gate"), 10U);
}

TEST(PropertiesTest, HoldForTheMimeCorpus) {
    const char* shared = std::getenv("MILLRACE_SHARED");
    const std::filesystem::path folder =
        std::filesystem::path(shared != nullptr ? shared : MILLRACE_SOURCE_DIR "/../shared") /
        "corpora/mime";
    if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is not there";
    EXPECT_GT(check_folder(folder), 500U);
}

// Goal: large values of nasty pieces keep every promise.
TEST(PropertiesTest, LargeValuesOfNastyPiecesAreJudged) {
    for (const std::string_view piece :
         {"a@b,", "\"", "(", "<", "=?", "\n ", "\xc3\xa9 ", ";", "@", "\\"}) {
        std::string value;
        while (value.size() + piece.size() < 3'000)
            value += piece;
        for (const std::string_view name : {"From", "To", "Subject", "X-Y", "References", "Date"}) {
            GateCase c("");
            c.knowing("example.com");
            std::vector<mail::OwnedField> fields{
                {"From", " a@example.com"}, {"To", " b@example.org"}, {"Subject", " x"}};
            for (int i = 0; i < 4; ++i)
                fields.push_back({std::string(name), value});
            const auto fault = wrong_gate(c.envelope, views(fields), c.settings, invention, true);
            EXPECT_FALSE(fault) << name << " of " << piece << ": " << *fault;
        }
    }
}

}  // namespace
}  // namespace millrace::policy::test
