#include "relay/cli/lint.hpp"

#include <algorithm>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>

// Goal: `millrace lint` says what the gate would do, keeps the file's own line ends, and prints
// nothing but the message or nothing at all with --apply.
namespace millrace::relay {
namespace {

struct Linted {
    int code = 0;
    std::string out;
    std::string err;
};

Linted run(std::string_view message, bool apply, bool json = false) {
    policy::Settings settings;
    settings.message_id_domain = "relay.example.net";
    settings.sender = "postmaster@relay.example.net";
    settings.mode = policy::Mode::report_only;  // lint answers all the same
    LintOptions options;
    options.apply = apply;
    options.json = json;
    options.invention = {"Tue, 24 Nov 2026 08:15:30 +0000", "unique"};
    std::ostringstream out;
    std::ostringstream err;
    const int code = lint(message, settings, options, out, err);
    return {code, out.str(), err.str()};
}

const std::string added =
    "Date: Tue, 24 Nov 2026 08:15:30 +0000\nMessage-ID: <unique@relay.example.net>\n";

TEST(LintTest, ApplyPrintsTheMendedMessageAlone) {
    const Linted linted =
        run("From: a@example.com\nTo: b@example.org\nSubject: caf\xc3\xa9\n\nbody \xff\n", true);
    EXPECT_EQ(linted.code, 0);
    EXPECT_EQ(linted.out,
              "From: a@example.com\nTo: b@example.org\nSubject: =?UTF-8?B?Y2Fmw6k=?=\n" + added +
                  "\nbody \xff\n");
    EXPECT_EQ(linted.err, "");
}

TEST(LintTest, CrlfStaysCrlf) {
    const Linted linted =
        run("From: a@example.com\r\nTo: b@example.org\r\nSubject: caf\xc3\xa9\r\n\r\nbody", true);
    EXPECT_EQ(linted.code, 0);
    EXPECT_EQ(std::ranges::count(linted.out, '\n'), std::ranges::count(linted.out, '\r'));
    EXPECT_TRUE(linted.out.ends_with("net>\r\n\r\nbody")) << linted.out;
}

TEST(LintTest, ARefusalPrintsOnlyTheReply) {
    const Linted linted = run("To: b@example.org\nSubject: x\n\nbody\n", true);
    EXPECT_EQ(linted.code, 1);
    EXPECT_EQ(linted.out, "");
    EXPECT_TRUE(linted.err.starts_with("550 5.6.0 Missing required header: From")) << linted.err;
}

TEST(LintTest, AZeroByteIsRefusedOnlyWhereNoEditTakesItAway) {
    const std::string zero(1, '\0');
    const std::string from = "From: a@example.com\nTo: b@example.org\n";
    const Linted mended = run(from + "Subject: a" + zero + "b" + zero + "\n\nbody\n", true);
    EXPECT_EQ(mended.code, 0) << mended.err;
    EXPECT_EQ(mended.out, from + "Subject: ab\n" + added + "\nbody\n");
    for (const std::string& message :
         {"Received: from a" + zero + "b\n" + from + "Subject: x\n\nbody\n",
          from + "Subject: x\n\nbo" + zero + "dy\n"}) {
        const Linted refused = run(message, true);
        EXPECT_EQ(refused.code, 1);
        EXPECT_EQ(refused.out, "");
        EXPECT_TRUE(refused.err.starts_with("550 5.6.0 Zero byte in the message")) << refused.err;
    }
}

TEST(LintTest, TheReportShowsVerdictDefectsAndEdits) {
    const Linted linted =
        run("From: a@example.com\nTo: b@example.org\nSubject: caf\xc3\xa9\n\n", false);
    EXPECT_EQ(linted.code, 0);
    EXPECT_NE(linted.out.find("accepted, mended\n"), std::string::npos);
    EXPECT_NE(linted.out.find("defect H33: raw 8-bit text in Subject\n"), std::string::npos);
    EXPECT_NE(linted.out.find("  -  caf\\xC3\\xA9\n  +  =?UTF-8?B?Y2Fmw6k=?=\n"), std::string::npos)
        << linted.out;
}

TEST(LintTest, TheReportIsJsonWhateverTheBytes) {
    const Linted linted = run("From: a@example.com\nTo: b\nSubject: \xff\xfe\x1b\n\n", false, true);
    const auto report = boost::json::parse(linted.out).as_object();
    EXPECT_EQ(report.at("verdict"), "accept");
    EXPECT_EQ(report.at("tag"), "email");
    EXPECT_GE(report.at("edits").as_array().size(), 3U);
    EXPECT_EQ(report.at("edits").as_array().at(0).as_object().at("kind"), "replace");
    const Linted refused = run("\nbody\n", false, true);
    EXPECT_EQ(refused.code, 1);
    EXPECT_EQ(boost::json::parse(refused.out).as_object().at("code"), 550);
}

TEST(LintTest, BareCarriageReturnsAreRefusedAndLfFilesAreNot) {
    const std::string head = "From: a@example.com\nTo: b@example.org\nSubject: x\n\n";
    EXPECT_EQ(run(head + "a\nb\n", true).code, 0);
    const Linted linted = run(head + "a\rb\n", true);
    EXPECT_EQ(linted.code, 1);
    EXPECT_TRUE(linted.err.starts_with("550 5.6.0 Bare carriage return")) << linted.err;
}

}  // namespace
}  // namespace millrace::relay
