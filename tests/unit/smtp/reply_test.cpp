// Goal: what a receiving server says is understood or refused, never misread (reliability xN1).
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/smtp/ehlo.hpp"
#include "common/smtp/enhanced_code.hpp"
#include "common/smtp/reply_parser.hpp"
#include "common/smtp/xtext.hpp"

namespace millrace::smtp {
namespace {

using namespace std::string_view_literals;
using State = ReplyParser::State;

State feed(ReplyParser& parser, std::string_view bytes) {
    return parser.feed(bytes);
}

Reply parse(std::string_view bytes) {
    ReplyParser parser;
    EXPECT_EQ(parser.feed(bytes), State::done);
    EXPECT_EQ(bytes, "");
    return parser.take();
}

TEST(ReplyParser, OneLine) {
    EXPECT_EQ(parse("250 2.1.5 Ok\r\n"), (Reply{250, "2.1.5", {"Ok"}}));
    EXPECT_EQ(parse("354 go\r\n"), (Reply{354, "", {"go"}}));
    EXPECT_EQ(parse("250\r\n"), (Reply{250, "", {""}}));
    EXPECT_EQ(parse("250 \r\n"), (Reply{250, "", {""}}));
}

TEST(ReplyParser, SeveralLinesSplitAnywhere) {
    const std::string bytes = "550-5.7.1 first\r\n550-5.7.1 second\r\n550 5.7.1 last\r\n";
    const Reply whole = parse(bytes);
    EXPECT_EQ(whole, (Reply{550, "5.7.1", {"first", "second", "last"}}));
    EXPECT_EQ(whole.text(), "550 5.7.1 first second last");
    for (std::size_t at = 1; at < bytes.size(); ++at) {
        ReplyParser parser;
        EXPECT_EQ(feed(parser, bytes.substr(0, at)), State::more);
        EXPECT_TRUE(parser.begun());
        EXPECT_EQ(feed(parser, bytes.substr(at)), State::done);
        EXPECT_EQ(parser.take(), whole);
    }
}

TEST(ReplyParser, LeavesWhatFollows) {
    ReplyParser parser;
    std::string_view bytes = "220 go\r\n250-injected\r\n";
    EXPECT_EQ(parser.feed(bytes), State::done);
    EXPECT_EQ(bytes, "250-injected\r\n");
}

TEST(ReplyParser, LoneLineFeedEndsALine) {
    EXPECT_EQ(parse("250-a\n250 b\n"), (Reply{250, "", {"a", "b"}}));
}

TEST(ReplyParser, ContradictingEnhancedCodeIsText) {
    EXPECT_EQ(parse("550 4.7.1 no\r\n"), (Reply{550, "", {"4.7.1 no"}}));
    EXPECT_EQ(parse("250 2.0.00 x\r\n").enhanced, "");
    EXPECT_EQ(parse("250 2.0.0x\r\n").enhanced, "");
}

TEST(ReplyParser, WhatIsNoReply) {
    for (const std::string_view bytes : {"hello\r\n"sv,
                                         "\r\n"sv,
                                         "25\r\n"sv,
                                         "199 x\r\n"sv,
                                         "600 x\r\n"sv,
                                         "000 x\r\n"sv,
                                         "250x\r\n"sv,
                                         "2500 x\r\n"sv,
                                         "250-a\r\n251 b\r\n"sv,
                                         "250-a\r\nb\r\n"sv,
                                         "250 a\0b\r\n"sv,
                                         "\x16\x03\x01\x02\n"sv}) {
        ReplyParser parser;
        EXPECT_EQ(feed(parser, bytes), State::broken) << testing::PrintToString(bytes);
        EXPECT_FALSE(parser.fault().empty());
        EXPECT_EQ(feed(parser, "250 ok\r\n"), State::broken) << "broken is final";
    }
}

TEST(ReplyParser, Bounds) {
    ReplyParser endless;
    State state = State::more;
    unsigned lines = 0;
    while (state == State::more && lines < 1000) {
        state = feed(endless, "250-x\r\n");
        ++lines;
    }
    EXPECT_EQ(state, State::broken);
    EXPECT_EQ(lines, reply_lines_max + 1);

    ReplyParser one_line;
    EXPECT_EQ(feed(one_line, "250 " + std::string(reply_line_max - 5, 'x')), State::more);
    EXPECT_EQ(feed(one_line, "xxxxx"), State::broken);

    ReplyParser large;
    state = State::more;
    for (unsigned i = 0; i < 50 && state == State::more; ++i)
        state = feed(large, "250-" + std::string(4000, 'x') + "\r\n");
    EXPECT_EQ(state, State::broken);
}

TEST(ReplyFormat, EnhancedCodeOnEveryLine) {
    EXPECT_EQ(format(Reply{550, "5.7.1", {"a", "b"}}), "550-5.7.1 a\r\n550 5.7.1 b\r\n");
    EXPECT_EQ(format(Reply{250, "", {"host", "SIZE 1"}}), "250-host\r\n250 SIZE 1\r\n");
    EXPECT_EQ(format(Reply{250, "2.0.0", {}}), "250 2.0.0\r\n");
}

TEST(ReplyFormat, NothingAClientSaidForgesAReply) {
    EXPECT_EQ(format(reply(501, "5.5.4", "x\r\n250 Ok\x1b\xc3")), "501 5.5.4 x??250 Ok??\r\n");
    EXPECT_EQ(format(reply(501, "", std::string(2000, 'x'))).size(), 512U);
    EXPECT_EQ(harmless("a\r\nb\x7f"), "a??b?");
    EXPECT_EQ(harmless(std::string(500, 'x')).size(), 128U);
}

TEST(Ehlo, KeywordsInAnyCaseMalformedIgnored) {
    const Capabilities found = parse_ehlo(Reply{250,
                                                "",
                                                {"mx.example.com at your service",
                                                 "size 1000",
                                                 "PipeLining",
                                                 "AUTH PLAIN login",
                                                 "AUTH=LOGIN CRAM-MD5",
                                                 "LIMITS RCPTMAX=50 MAILMAX=x FOO RCPTMAX=0",
                                                 "STARTTLS",
                                                 "",
                                                 "X-WHATEVER",
                                                 "DSN"}});
    EXPECT_EQ(found.name, "mx.example.com");
    EXPECT_TRUE(found.size && found.pipelining && found.starttls && found.dsn);
    EXPECT_FALSE(found.chunking || found.smtputf8 || found.eight_bit_mime);
    EXPECT_EQ(found.size_max, 1000U);
    EXPECT_EQ(found.auth, (std::vector<std::string>{"PLAIN", "LOGIN", "CRAM-MD5"}));
    EXPECT_EQ(found.rcpt_max, 50U);
    EXPECT_FALSE(found.mail_max.has_value());
    EXPECT_EQ(parse_ehlo(Reply{250, "", {"h", "SIZE 99999999999999999999999"}}).size_max, 0U);
}

TEST(Xtext, RoundTrip) {
    std::string all;
    for (int byte = 1; byte < 256; ++byte) {
        if (byte != '\r' && byte != '\n') all += static_cast<char>(byte);
    }
    EXPECT_EQ(decode_xtext(encode_xtext(all)), all);
    EXPECT_EQ(encode_xtext("a+b=c d"), "a+2Bb+3Dc+20d");
    for (const std::string_view bad :
         {"a b"sv, "a=b"sv, "a+"sv, "a+2"sv, "a+2b"sv, "a+00"sv, "a+0D+0A"sv, "\xc3\xa4"sv}) {
        EXPECT_FALSE(is_xtext(bad)) << bad;
    }
}

TEST(EnhancedCode, Grammar) {
    EXPECT_EQ(EnhancedCode::parse("4.7.999")->text(), "4.7.999");
    for (const std::string_view bad :
         {"3.1.1"sv, "5.1"sv, "5.01.1"sv, "5.1.1000"sv, "5.1.1 "sv, ""sv})
        EXPECT_FALSE(EnhancedCode::parse(bad).has_value()) << bad;
}

}  // namespace
}  // namespace millrace::smtp
