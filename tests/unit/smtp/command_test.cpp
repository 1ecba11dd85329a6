// Goal: every command line is read by the grammar or refused with the code the RFCs name
// (reliability F4, F7, F8).
#include "common/smtp/command.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/smtp/line_reader.hpp"
#include "common/smtp/xforward.hpp"

namespace millrace::smtp {
namespace {

using namespace std::string_view_literals;

std::string refusal(const Parsed<MailArguments>& parsed) {
    return parsed ? "ok" : std::to_string(parsed.error().code) + ' ' + parsed.error().enhanced;
}
std::string refusal(const Parsed<RcptArguments>& parsed) {
    return parsed ? "ok" : std::to_string(parsed.error().code) + ' ' + parsed.error().enhanced;
}

std::vector<std::string> lines_of(std::string_view bytes, std::size_t step) {
    LineReader reader;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        std::string_view part = bytes.substr(at, step);
        while (auto line = reader.next(part)) {
            out.push_back(line->kind == Line::Kind::command         ? line->text
                          : line->kind == Line::Kind::bare_line_end ? "!bare"
                                                                    : "!long");
        }
    }
    return out;
}

TEST(LineReader, OnlyCrlfEndsACommand) {
    struct Case {
        std::string_view bytes;
        std::vector<std::string> lines;
    };
    const std::vector<Case> cases = {
        {"NOOP\r\nQUIT\r\n", {"NOOP", "QUIT"}},
        {"\r\n", {""}},
        {"NOOP\n", {"!bare"}},
        {"NOOP\nMAIL\r\nRSET\r\n", {"!bare", "RSET"}},
        {"NOOP\n\rMAIL\r\nRSET\r\n", {"!bare", "RSET"}},
        {"NOOP\n\r\nRSET\r\n", {"!bare", "RSET"}},
        {"NOOP\rMAIL\r\nRSET\r\n", {"!bare", "RSET"}},
        {"NOOP\r\r\nRSET\r\n", {"!bare", "RSET"}},
        {"NOOP\rMAIL\nRCPT\r\nRSET\r\n", {"!bare", "RSET"}},
        {"A\nB\nC\n", {"!bare", "!bare", "!bare"}},
        {"NOOP\r", {}},
    };
    for (const Case& c : cases) {
        for (const std::size_t step : {1U, 2U, 3U, 1000U})
            EXPECT_EQ(lines_of(c.bytes, step), c.lines) << testing::PrintToString(c.bytes) << step;
    }
}

TEST(LineReader, LengthIsBounded) {
    const std::string fits(command_line_max - 2, 'x');
    EXPECT_EQ(lines_of(fits + "\r\n", 7), std::vector<std::string>{fits});
    EXPECT_EQ(lines_of(fits + "x\r\nNOOP\r\n", 7), (std::vector<std::string>{"!long", "NOOP"}));
    LineReader reader;
    const std::string endless(10 << 20, 'x');
    std::string_view bytes = endless;
    EXPECT_FALSE(reader.next(bytes).has_value());
    EXPECT_EQ(reader.dropped(), endless.size());
}

TEST(Verbs, AnyCaseAndForeign) {
    EXPECT_EQ(split_command("mAiL  FROM:<> ").verb, Verb::mail);
    EXPECT_EQ(split_command("mAiL  FROM:<> ").argument, "FROM:<>");
    EXPECT_EQ(split_command("GET / HTTP/1.1").verb, Verb::foreign);
    EXPECT_EQ(split_command("Host: x").verb, Verb::foreign);
    EXPECT_EQ(split_command("").verb, Verb::unknown);
    EXPECT_EQ(split_command(" NOOP").verb, Verb::unknown);
    EXPECT_EQ(split_command("NOOPS").verb, Verb::unknown);
}

TEST(Mail, Parameters) {
    const auto all =
        parse_mail("FROM:<a@b.example> SIZE=10 body=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb AUTH=<>",
                   Dialect::extended);
    ASSERT_TRUE(all) << all.error().text();
    EXPECT_EQ(all->size, 10U);
    EXPECT_EQ(all->body, BodyKind::eight_bit_mime);
    EXPECT_TRUE(all->smtputf8);
    EXPECT_EQ(all->ret, "HDRS");
    EXPECT_EQ(all->envid, "a+2Bb");
    struct Case {
        std::string_view argument;
        std::string_view answer;
    };
    const std::vector<Case> cases = {
        {"FROM:<>", "ok"},
        {"FROM: <>", "ok"},
        {"from:<a@b>", "ok"},
        {"FROM:<@x,@y:a@b>", "ok"},
        {"FROM:<\"a b\"@c>", "ok"},
        {"FROM:<a@[192.0.2.1]>", "ok"},
        {"FROM:<a@[IPv6:::1]>", "ok"},
        {"FROM:a@b", "501 5.5.4"},
        {"TO:<a@b>", "501 5.5.4"},
        {"", "501 5.5.4"},
        {"FROM:", "501 5.5.4"},
        {"FROM:<a>", "553 5.1.7"},
        {"FROM:<a@b", "553 5.1.7"},
        {"FROM:<a@b>c@d", "501 5.5.4"},
        {"FROM:<a@b@c>", "553 5.1.7"},
        {"FROM:<\xc3\xa4@b>", "553 5.6.7"},
        {"FROM:<\xc3\xa4@b> SMTPUTF8", "ok"},
        {"FROM:<a@b> FOO", "555 5.5.4"},
        {"FROM:<a@b> BODY=BINARYMIME", "501 5.5.4"},
        {"FROM:<a@b> SIZE", "501 5.5.4"},
        {"FROM:<a@b> SIZE=", "501 5.5.4"},
        {"FROM:<a@b> SIZE=-1", "501 5.5.4"},
        {"FROM:<a@b> SIZE=99999999999999999999", "501 5.5.4"},
        {"FROM:<a@b> SIZE=1 SIZE=1", "501 5.5.4"},
        {"FROM:<a@b> SIZE=1 size=1", "501 5.5.4"},
        {"FROM:<a@b> SIZE = 1", "501 5.5.4"},
        {"FROM:<a@b> SMTPUTF8=1", "501 5.5.4"},
        {"FROM:<a@b> RET=ALL", "501 5.5.4"},
        {"FROM:<a@b> ENVID=+00", "501 5.5.4"},
        {"FROM:<a@b> ENVID=a+0D+0A", "501 5.5.4"},
        {"FROM:<a@b> ENVID=a=b", "501 5.5.4"},
        {"FROM:<a@b> AUTH=+00", "501 5.5.4"},
        {"FROM:<a@b> -X=1", "501 5.5.4"},
        {"FROM:<a@b>\tSIZE=1", "ok"},
        {"FROM:<a@b>SIZE=1", "501 5.5.4"},
    };
    for (const Case& c : cases)
        EXPECT_EQ(refusal(parse_mail(c.argument, Dialect::extended)), c.answer) << c.argument;
    EXPECT_EQ(refusal(parse_mail("FROM:<a@b> SIZE=1", Dialect::basic)), "555 5.5.4");
    const std::string envid(101, 'x');
    EXPECT_EQ(refusal(parse_mail("FROM:<a@b> ENVID=" + envid, Dialect::extended)), "501 5.5.4");
    const std::string long_local(65, 'x');
    EXPECT_EQ(refusal(parse_mail("FROM:<" + long_local + "@b>", Dialect::extended)), "553 5.1.7");
}

TEST(Rcpt, Parameters) {
    const auto all =
        parse_rcpt("TO:<A@b> NOTIFY=success,DELAY ORCPT=rfc822;a+2Bb@c", Dialect::extended, false);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->path.local_part, "A");
    EXPECT_EQ(all->notify, (NotifyWish{true, false, true, false, true}));
    EXPECT_EQ(all->orcpt, "rfc822;a+2Bb@c");
    struct Case {
        std::string_view argument;
        std::string_view answer;
    };
    const std::vector<Case> cases = {
        {"TO:<Postmaster>", "ok"},
        {"TO:<postmaster>", "ok"},
        {"TO:<>", "553 5.1.3"},
        {"TO:<root>", "553 5.1.3"},
        {"TO:<a@b> NOTIFY=NEVER", "ok"},
        {"TO:<a@b> NOTIFY=NEVER,SUCCESS", "501 5.5.4"},
        {"TO:<a@b> NOTIFY=", "501 5.5.4"},
        {"TO:<a@b> NOTIFY=SUCCESS,", "501 5.5.4"},
        {"TO:<a@b> NOTIFY=MAYBE", "501 5.5.4"},
        {"TO:<a@b> ORCPT=a@b", "501 5.5.4"},
        {"TO:<a@b> ORCPT=;a@b", "501 5.5.4"},
        {"TO:<a@b> ORCPT=rfc822;", "501 5.5.4"},
        {"TO:<a@b> ORCPT=rfc822;+00", "501 5.5.4"},
        {"TO:<a@b> ORCPT=rfc822;a@b ORCPT=rfc822;a@b", "501 5.5.4"},
        {"TO:<a@b> SIZE=1", "555 5.5.4"},
        {"TO:bart <a@b>", "501 5.5.4"},
    };
    for (const Case& c : cases)
        EXPECT_EQ(refusal(parse_rcpt(c.argument, Dialect::extended, false)), c.answer)
            << c.argument;
    const std::string orcpt = "TO:<a@b> ORCPT=rfc822;" + std::string(494, 'x');
    EXPECT_EQ(refusal(parse_rcpt(orcpt, Dialect::extended, false)), "501 5.5.4");
    EXPECT_EQ(refusal(parse_rcpt("TO:<\xc3\xa4@b>", Dialect::extended, false)), "553 5.6.7");
    EXPECT_EQ(refusal(parse_rcpt("TO:<\xc3\xa4@b>", Dialect::extended, true)), "ok");
}

TEST(Bdat, Arguments) {
    EXPECT_EQ(*parse_bdat("86 LAST"), (BdatArguments{86, true}));
    EXPECT_EQ(*parse_bdat("0 last"), (BdatArguments{0, true}));
    EXPECT_EQ(*parse_bdat("999999999999999999"), (BdatArguments{999999999999999999U, false}));
    for (const std::string_view bad : {""sv,
                                       "-1"sv,
                                       "+1"sv,
                                       "0x10"sv,
                                       "1 2"sv,
                                       "1 LAST LAST"sv,
                                       "LAST"sv,
                                       "1LAST"sv,
                                       "9223372036854775808"sv,
                                       "99999999999999999999"sv})
        EXPECT_FALSE(parse_bdat(bad)) << bad;
}

TEST(Xforward, Attributes) {
    const auto told = parse_xforward("NAME=mail+2Bx ADDR=IPv6:2001:db8::1 IDENT=4ABC", {});
    ASSERT_TRUE(told);
    EXPECT_EQ(told->name, "mail+x");
    EXPECT_EQ(told->address, "2001:db8::1");
    const auto more = parse_xforward("SOURCE=LOCAL NAME=[UNAVAILABLE]", *told);
    ASSERT_TRUE(more);
    EXPECT_EQ(more->ident, "4ABC");
    EXPECT_EQ(more->name, "");
    for (const std::string_view bad :
         {""sv, "NAME"sv, "NAME="sv, "FOO=x"sv, "NAME=a+0Ab"sv, "NAME=a+00"sv})
        EXPECT_FALSE(parse_xforward(bad, {})) << bad;
}

}  // namespace
}  // namespace millrace::smtp
