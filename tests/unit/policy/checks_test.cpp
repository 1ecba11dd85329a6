#include <optional>

#include <gtest/gtest.h>

#include "common/policy/settings.hpp"
#include "tests/unit/policy/gate_case.hpp"

// Goal: every check does, under each of its four actions, what the table in common/policy/README.md
// promises: nothing, a defect, a repair, or a refusal that names the header.
namespace millrace::policy::test {
namespace {

struct Row {
    std::string name;
    Check check;
    std::string block;
    std::string refusal;                    // of `reject`
    std::optional<std::string> repaired{};  // of `repair`; none: not repairable here
};

void PrintTo(const Row& row, std::ostream* out) {
    *out << row.name;
}

const std::string long_word(1200, 'x');

std::vector<Row> rows() {
    const std::string again = " [MR-";
    return {
        {"H01",
         Check::from_absent,
         clean_but("From", ""),
         "550 5.6.0 Missing required header: From",
         clean_but("From", "") + "From: app@example.com\n"},
        {"H02",
         Check::to_absent,
         clean_but("To", ""),
         "550 5.6.0 Missing required header: To",
         clean_but("To", "") + "To: undisclosed-recipients:;\n"},
        {"H02_with_cc",
         Check::to_absent,
         clean_but("To", "Cc: bob@example.org\n"),
         "550 5.6.0 Missing required header: To",
         clean_but("To", "Cc: bob@example.org\n") + "To: undisclosed-recipients:;\n"},
        {"H03",
         Check::subject_absent,
         clean_but("Subject", ""),
         "550 5.6.0 Missing required header: Subject",
         clean_but("Subject", "") + "Subject: \n"},
        {"H04",
         Check::date_absent,
         clean_but("Date", ""),
         "550 5.6.0 Missing required header: Date",
         clean_but("Date", "") + "Date: Tue, 24 Nov 2026 08:15:30 +0000\n"},
        {"H05",
         Check::message_id_absent,
         clean_but("Message-ID", ""),
         "550 5.6.0 Missing required header: Message-ID",
         clean_but("Message-ID", "") + "Message-ID: <unique@relay.example.net>\n"},
        {"H06",
         Check::mime_version_absent,
         clean_and("Content-Type: text/plain\n"),
         "550 5.6.0 Missing required header: MIME-Version",
         clean_and("Content-Type: text/plain\nMIME-Version: 1.0\n")},
        {"H10",
         Check::from_repeated,
         clean_and("From: eve@example.net\n"),
         "550 5.6.0 Repeated header: From"},
        {"H10_identical",
         Check::from_repeated,
         clean_and("From: Ann <ann@example.com>\n"),
         "550 5.6.0 Repeated header: From"},
        {"H11",
         Check::single_repeated,
         clean_and("Subject: hello\nSUBJECT: hello\n"),
         "550 5.6.0 Repeated header: Subject",
         std::string(clean)},
        {"H12",
         Check::list_repeated,
         clean_and("To: carl@example.org\nTo: \nto: Dora <dora@example.org>,\n"),
         "550 5.6.0 Repeated header: To",
         clean_but("To", "To: bob@example.org,\n carl@example.org,\n Dora <dora@example.org>\n")},
        {"H12_identical",
         Check::list_repeated,
         clean_and("To: bob@example.org\n"),
         "550 5.6.0 Repeated header: To",
         std::string(clean)},
        {"H13",
         Check::mime_repeated,
         clean_and("MIME-Version: 1.0\nMIME-Version: 1.0\n"),
         "550 5.6.0 Repeated header: MIME-Version",
         clean_and("MIME-Version: 1.0\n")},
        {"H20",
         Check::from_unparsable,
         clean_but("From", "From: nobody at all\n"),
         "550 5.6.0 Invalid From"},
        {"H20_empty",
         Check::from_unparsable,
         clean_but("From", "From: <>\n"),
         "550 5.6.0 Invalid From"},
        {"H20_name_only",
         Check::from_unparsable,
         clean_but("From", "From: \"Ann\"\n"),
         "550 5.6.0 Invalid From"},
        {"H20_group",
         Check::from_unparsable,
         clean_but("From", "From: team: ann@example.com;\n"),
         "550 5.6.0 Invalid From"},
        {"H21",
         Check::from_ambiguous,
         clean_but("From", "From: \"Ann <ann@bank.example>\"@example.com\n"),
         "550 5.7.1 Ambiguous From"},
        {"H22",
         Check::from_several,
         clean_but("From", "From: ann@example.com, bob@example.com\n"),
         "550 5.6.0 Several mailboxes in header: From",
         clean_but("From", "From: ann@example.com, bob@example.com\n") +
             "Sender: ann@example.com\n"},
        {"H23",
         Check::sender_not_one,
         clean_and("Sender: a@example.com, b@example.com\n"),
         "550 5.6.0 Invalid Sender",
         clean_and("Sender: postmaster@relay.example.net\n"
                   "X-Original-Sender: a@example.com, b@example.com\n")},
        {"H24",
         Check::list_unparsable,
         clean_but("To", "To: Bob [sales] <bob@example.org>\n"),
         "550 5.6.0 Invalid addresses in header: To",
         clean_but("To", "To: \"Bob [sales]\" <bob@example.org>\n")},
        {"H24_hopeless",
         Check::list_unparsable,
         clean_but("To", "To: \n"),
         "550 5.6.0 Invalid addresses in header: To"},
        {"H25",
         Check::obsolete_form,
         clean_but("To", "To: <@hop.example:bob@example.org>\n"),
         "550 5.6.0 Obsolete form in header: To"},
        {"H25_year",
         Check::obsolete_form,
         clean_but("Date", "Date: 24 Nov 26 08:00 +0000\n"),
         "550 5.6.0 Obsolete form of Date"},
        {"H26",
         Check::date_unparsable,
         clean_but("Date", "Date: yesterday\n"),
         "550 5.6.0 Invalid Date",
         clean_but("Date", "Date: Tue, 24 Nov 2026 08:15:30 +0000\n") +
             "X-Original-Date: yesterday\n"},
        {"H27",
         Check::message_id_malformed,
         clean_but("Message-ID", "Message-ID: no id\n"),
         "550 5.6.0 Invalid Message-ID",
         clean_but("Message-ID", "Message-ID: <unique@relay.example.net>\n") +
             "X-Original-Message-ID: no id\n"},
        {"H27_brackets",
         Check::message_id_malformed,
         clean_but("Message-ID", "Message-ID: 1@example.com\n"),
         "550 5.6.0 Invalid Message-ID",
         std::string(clean)},
        {"H30_identifier",
         Check::line_too_long,
         clean_and("References: <" + long_word + "@x>\n"),
         "550 5.6.0 Line too long in header: References"},
        {"H32_text",
         Check::control_characters,
         clean_but("Subject", "Subject: bell\a here\n"),
         "550 5.6.0 Control characters in header: Subject",
         clean_but("Subject", "Subject: bell here\n")},
        {"H32_optional",
         Check::control_characters,
         clean_and("X-Mailer: a\x1b[1m\n"),
         "550 5.6.0 Control characters in header: X-Mailer",
         clean_and("X-Mailer: a[1m\n")},
        {"H32_address",
         Check::control_characters,
         clean_but("To", "To: bob\a@example.org\n"),
         "550 5.6.0 Control characters in header: To"},
        {"H33_subject",
         Check::raw_8bit_text,
         clean_but("Subject", "Subject: caf\xc3\xa9\n"),
         "550 5.6.0 Raw 8-bit text in header: Subject",
         clean_but("Subject", "Subject: =?UTF-8?B?Y2Fmw6k=?=\n")},
        {"H33_name",
         Check::raw_8bit_text,
         clean_but("To", "To: J\xc3\xb6rg <bob@example.org>\n"),
         "550 5.6.0 Raw 8-bit text in header: To",
         clean_but("To", "To: =?UTF-8?B?SsO2cmc=?= <bob@example.org>\n")},
        {"H34_domain",
         Check::raw_8bit_address,
         clean_but("To",
                   "To: Bob <bob@b\xc3\xbc"
                   "cher.example>, carl@example.org\n"),
         "550 5.6.7 8-bit address without SMTPUTF8 in header: To",
         clean_but("To", "To: Bob <bob@xn--bcher-kva.example>, carl@example.org\n")},
        {"H34_local",
         Check::raw_8bit_address,
         clean_but("To",
                   "To: b\xc3\xb6"
                   "b@example.org\n"),
         "550 5.6.7 8-bit address without SMTPUTF8 in header: To"},
        {"H35",
         Check::raw_8bit_elsewhere,
         clean_but("Message-ID", "Message-ID: <\xc3\xa9@example.com>\n"),
         "550 5.6.0 Raw 8-bit bytes in header: Message-ID"},
        {"H50", Check::tag_invalid, clean_and("X-tag: a b\n"), "550 5.6.0 Invalid X-tag"},
    };
}

class ChecksTest : public testing::TestWithParam<Row> {};

// Checks beside the one under test must not speak: they are off.
GateCase only(const Row& row, Action action) {
    GateCase c(row.block);
    for (const CheckRow& other : check_table())
        c.with(other.check, Action::off);
    c.with(row.check, action);
    return c;
}

TEST_P(ChecksTest, OffSaysAndDoesNothing) {
    GateCase c = only(GetParam(), Action::off);
    const Outcome outcome = c.run();
    EXPECT_EQ(outcome.verdict, Verdict{});
    EXPECT_TRUE(outcome.edits.empty());
    EXPECT_FALSE(has_defect(outcome, code_of(GetParam().check)));
}

TEST_P(ChecksTest, NoteOnlyRecords) {
    GateCase c = only(GetParam(), Action::note);
    const Outcome outcome = c.run();
    EXPECT_EQ(outcome.verdict, Verdict{});
    EXPECT_TRUE(outcome.edits.empty());
    EXPECT_TRUE(has_defect(outcome, code_of(GetParam().check)));
}

TEST_P(ChecksTest, RejectNamesHeaderAndFault) {
    GateCase c = only(GetParam(), Action::reject);
    const Outcome outcome = c.run();
    ASSERT_EQ(outcome.verdict.kind, Verdict::Kind::reject);
    EXPECT_TRUE(outcome.edits.empty());
    const std::string reply = GateCase::reply(outcome);
    EXPECT_TRUE(reply.starts_with(GetParam().refusal)) << reply;
    EXPECT_TRUE(reply.ends_with(" [MR-" + code_of(GetParam().check) + "]")) << reply;
    EXPECT_EQ(reply.find('%'), std::string::npos) << reply;
}

TEST_P(ChecksTest, RejectIsOnlyANoteForLocalMailAndBounces) {
    GateCase local = only(GetParam(), Action::reject);
    local.from(Origin::local);
    EXPECT_EQ(local.run().verdict, Verdict{});
    EXPECT_TRUE(has_defect(local.run(), code_of(GetParam().check)));
    GateCase bounce = only(GetParam(), Action::reject);
    bounce.envelope.mail_from = {};
    EXPECT_EQ(bounce.run().verdict, Verdict{});
}

TEST_P(ChecksTest, RepairMendsOrFallsBack) {
    const Row& row = GetParam();
    GateCase c = only(row, Action::repair);
    const Outcome outcome = c.run();
    EXPECT_TRUE(has_defect(outcome, code_of(row.check)));
    if (row.repaired) {
        EXPECT_EQ(c.result(), *row.repaired);
        return;
    }
    EXPECT_TRUE(outcome.edits.empty());
    const CheckRow& table = row_of(row.check);
    const Action otherwise = table.repairable ? table.otherwise : table.action;
    EXPECT_EQ(outcome.verdict.kind == Verdict::Kind::reject, otherwise == Action::reject);
}

TEST_P(ChecksTest, SealedMailIsRefusedOrNotedButNeverEdited) {
    Row row = GetParam();
    row.block += "List-Id: <list.example.com>\n";
    GateCase repair = only(row, Action::repair);
    EXPECT_TRUE(repair.run().edits.empty());
    GateCase reject = only(row, Action::reject);
    EXPECT_EQ(reject.run().verdict.kind, Verdict::Kind::reject);
}

INSTANTIATE_TEST_SUITE_P(Table, ChecksTest, testing::ValuesIn(rows()), [](const auto& info) {
    return info.param.name;
});

// Goal: the defaults are the documented ones.
TEST(DefaultsTest, AreTheDocumentedOnes) {
    const auto is = [](std::string_view code, Action action) {
        const auto check = check_from_code(code);
        ASSERT_TRUE(check) << code;
        EXPECT_EQ(default_action(*check), action) << code;
        EXPECT_EQ(code_of(*check), code);
    };
    for (const char* code :
         {"H01", "H02", "H03", "H10", "H20", "H21", "H22", "H23", "H31", "H36", "H40"}) {
        is(code, Action::reject);
    }
    for (const char* code :
         {"H04", "H05", "H06", "H11", "H12", "H13", "H30", "H32", "H33", "H34", "H41"}) {
        is(code, Action::repair);
    }
    for (const char* code : {"H24", "H25", "H26", "H27", "H35", "H50"})
        is(code, Action::note);
    is("H42", Action::off);
    EXPECT_FALSE(check_from_code("H07"));
    EXPECT_FALSE(check_from_code("h01"));
    EXPECT_FALSE(can_repair(Check::from_repeated));
    EXPECT_TRUE(can_repair(Check::list_repeated));
}

TEST(DefaultsTest, RepairOfACheckWithoutOneMeansItsDefault) {
    Settings settings;
    settings.actions[10] = Action::repair;
    EXPECT_EQ(settings.action(Check::from_repeated), Action::reject);
    settings.actions[25] = Action::repair;
    EXPECT_EQ(settings.action(Check::obsolete_form), Action::note);
}

TEST(DefaultsTest, CleanMailIsLeftAlone) {
    GateCase c{std::string(clean)};
    const Outcome outcome = c.run();
    EXPECT_EQ(outcome, Outcome{});
}

// Goal: Sendmail adds Date and Message-ID after its milters; the gate neither doubles nor misses
// them.
TEST(DefaultsTest, MtaThatAddsDateAndMessageIdIsLeftToIt) {
    GateCase c("From: a@example.com\nTo: b@example.org\nSubject: x\n");
    c.envelope.mta_adds_message_id = true;
    EXPECT_EQ(c.run(), Outcome{});
}

TEST(RepeatedTest, DifferentRepeatsAreRefused) {
    GateCase c(clean_and("Subject: other\n"));
    EXPECT_TRUE(c.result().starts_with("550 5.6.0 Repeated header: Subject"));
    GateCase reply_to(clean_and("Reply-To: a@example.com\nReply-To: b@example.com\n"));
    EXPECT_TRUE(reply_to.result().starts_with("550 5.6.0 Repeated header: Reply-To"));
}

TEST(RepeatedTest, ListsThatCannotBeReadAreNotMerged) {
    GateCase c(clean_and("To: nobody (open\n"));
    EXPECT_TRUE(c.result().starts_with("550 5.6.0 Repeated header: To")) << c.result();
}

TEST(RepeatedTest, RemovalsComeFromTheLastToTheFirst) {
    GateCase c(clean_and("To: carl@example.org\nTo: dora@example.org\n"));
    const Outcome outcome = c.run();
    ASSERT_EQ(outcome.edits.size(), 3U);
    EXPECT_EQ(outcome.edits[0].kind, Edit::Kind::replace);
    EXPECT_EQ(outcome.edits[0].nth, 1U);
    EXPECT_EQ(outcome.edits[1].kind, Edit::Kind::remove);
    EXPECT_EQ(outcome.edits[1].nth, 3U);
    EXPECT_EQ(outcome.edits[2].nth, 2U);
}

TEST(SizeTest, LimitsAnswer552) {
    GateCase field(clean_and("X-Big: " + std::string(60'000, 'a') + "\n"));
    EXPECT_TRUE(field.result().starts_with("552 5.3.4 Header field too large: X-Big"))
        << field.result();
    std::string lines;
    for (int i = 0; i < 1100; ++i)
        lines += "X-N: 1\n";
    GateCase count(clean_and(lines));
    EXPECT_TRUE(count.result().starts_with("552 5.3.4 Too many header fields"));
    std::string block;
    for (int i = 0; i < 300; ++i)
        block += "X-N: " + std::string(900, 'b') + "\n";
    GateCase whole(clean_and(block));
    EXPECT_TRUE(whole.result().starts_with("552 5.3.4 Header block too large"));
}

// Goal: what the gate makes fits its own limits: encoding triples 8-bit text.
TEST(SizeTest, RepairsThatOutgrowTheLimitAreRefused) {
    std::string words;
    while (words.size() < 55'000)
        words += "\xff\xfe\xfd ";
    GateCase c(clean_and("X-Odd: " + words + "\n"));
    EXPECT_TRUE(c.result().starts_with("552 5.3.4")) << c.result().substr(0, 80);
}

TEST(LongLineTest, FoldsAtBlanksAndKeepsTheBytes) {
    std::string words;
    for (int i = 0; i < 300; ++i)
        words += " word" + std::to_string(i);
    GateCase c(clean_and("X-Words:" + words + "\n"));
    const Outcome outcome = c.run();
    ASSERT_EQ(outcome.edits.size(), 1U);
    EXPECT_EQ(mail::unfold(outcome.edits[0].value), words);
    std::size_t column = 8;
    for (const char ch : outcome.edits[0].value) {
        column = ch == '\n' ? 0 : column + 1;
        EXPECT_LE(column, 78U);
    }
}

TEST(LongLineTest, AddressesMayBeBrokenBehindCommas) {
    std::string list;
    for (int i = 0; i < 80; ++i)
        list += (i > 0 ? "," : "") + std::string("user") + std::to_string(i) + "@example.org";
    GateCase c(clean_but("To", "To:" + list + "\n"));
    const Outcome outcome = c.run();
    ASSERT_EQ(outcome.edits.size(), 1U);
    std::string text = mail::unfold(outcome.edits[0].value);
    std::erase(text, ' ');
    EXPECT_EQ(text, list);
}

TEST(LongLineTest, AWordWithoutBlanksIsEncodedInFreeText) {
    GateCase c(clean_but("Subject", "Subject: " + long_word + "\n"));
    const Outcome outcome = c.run();
    ASSERT_EQ(outcome.edits.size(), 1U);
    EXPECT_NE(outcome.edits[0].value.find("=?UTF-8?Q?"), std::string::npos);
}

}  // namespace
}  // namespace millrace::policy::test
