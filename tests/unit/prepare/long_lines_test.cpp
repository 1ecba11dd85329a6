#include "relay/prepare/long_lines.hpp"

#include <gtest/gtest.h>

#include "common/policy/body_scan.hpp"
#include "relay/prepare/parts.hpp"
#include "relay/prepare/transfer_encoding.hpp"

// Goal: after re-encoding no line is over 998 octets and every part decodes to the bytes it had;
// where that cannot be done safely nothing changes.
namespace millrace::relay {
namespace {

std::string decode_quoted_printable(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out += text[i];
        } else if (text.substr(i + 1, 2) == "\r\n") {
            i += 2;
        } else {
            out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
            i += 2;
        }
    }
    return out;
}

std::string decode_base64(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    unsigned bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        const auto digit = digits.find(c);
        if (digit == std::string_view::npos) continue;
        bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>(bits >> count & 255);
        }
    }
    return out;
}

std::size_t longest(std::string_view text) {
    return policy::scan_body(text, mail::LineEnd::crlf).longest_line;
}

const std::string x2000(2000, 'x');

TEST(TransferEncodingTest, QuotedPrintableKeepsEveryByteWithin76Columns) {
    std::string all;
    for (int c = 0; c < 256; ++c) {
        if (c != '\r' && c != '\n') all += static_cast<char>(c);
    }
    for (const std::string& text : {std::string(),
                                    std::string("a \r\n b\t\r\n"),
                                    all + "\r\n" + all,
                                    x2000 + " \r\n.\r\nFrom me\r\n" + x2000,
                                    std::string(75, '=')}) {
        const std::string encoded = quoted_printable(text);
        EXPECT_EQ(decode_quoted_printable(encoded), text);
        EXPECT_LE(longest(encoded), 76U);
        EXPECT_EQ(encoded.find(" \r\n"), std::string::npos);
    }
}

TEST(TransferEncodingTest, Base64KeepsEveryByte) {
    std::string bytes;
    for (int i = 0; i < 300; ++i) {
        EXPECT_EQ(decode_base64(base64(bytes)), bytes);
        EXPECT_LE(longest(base64(bytes)), 76U);
        bytes += static_cast<char>(i * 37);
    }
    EXPECT_EQ(base64("Ma"), "TWE=\r\n");
}

TEST(TransferEncodingTest, RewrappingChangesNoContent) {
    const std::string encoded = "=C3=A9" + x2000 + "=C3=A9=\r\nnext=20\r\n";
    EXPECT_EQ(decode_quoted_printable(rewrap_quoted_printable(encoded)),
              decode_quoted_printable(encoded));
    EXPECT_LE(longest(rewrap_quoted_printable(encoded)), 76U);
    std::string one_line = base64(x2000);
    std::erase(one_line, '\r');
    std::erase(one_line, '\n');
    EXPECT_EQ(rewrap_base64(one_line), base64(x2000));
}

TEST(LongLinesTest, ASingleTextBecomesQuotedPrintable) {
    const Reencoded result = reencode_long_lines(
        "Subject: s\r\nContent-Type: text/html\r\n\r\n<p>" + x2000 + "\r\nend\r\n");
    ASSERT_TRUE(result.message) << result.reason;
    EXPECT_TRUE(result.message->starts_with(
        "Subject: s\r\nContent-Type: text/html\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\nMIME-Version: 1.0\r\n\r\n"));
    const Part part = leaves_of(*result.message).at(0);
    EXPECT_EQ(decode_quoted_printable(result.message->substr(part.body.offset, part.body.size)),
              "<p>" + x2000 + "\r\nend\r\n");
}

const std::string multipart =
    "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n"
    "--b\r\nContent-Type: text/plain\r\n\r\nshort\r\n"
    "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" +
    x2000 +
    "\r\n"
    "--b\r\nContent-Type: application/json\r\n\r\n{" +
    x2000 +
    "}\r\n"
    "--b--\r\nepilogue\r\n";

TEST(LongLinesTest, OnlyTheLeafThatNeedsItChanges) {
    const Reencoded result = reencode_long_lines(multipart);
    ASSERT_TRUE(result.message) << result.reason;
    EXPECT_LE(longest(*result.message), 998U);
    const auto before = leaves_of(multipart);
    const auto after = leaves_of(*result.message);
    ASSERT_EQ(before.size(), 3U);
    ASSERT_EQ(after.size(), 3U);
    const auto body = [&](std::size_t i) {
        return result.message->substr(after[i].body.offset, after[i].body.size);
    };
    EXPECT_EQ(body(0), "short");
    EXPECT_EQ(after[0].encoding, "7bit");
    EXPECT_EQ(after[1].encoding, "quoted-printable");
    EXPECT_EQ(decode_quoted_printable(body(1)), x2000);
    EXPECT_EQ(after[2].encoding, "base64");
    EXPECT_EQ(decode_base64(body(2)), "{" + x2000 + "}");
    EXPECT_TRUE(result.message->ends_with("--b--\r\nepilogue\r\n"));
}

TEST(LongLinesTest, WhatCannotBeDoneSafelyIsLeftAlone) {
    const std::string part = "Content-Type: text/plain\r\n\r\n" + x2000 + "\r\n";
    for (const std::string& message :
         {"DKIM-Signature: v=1; d=example.com; b=x\r\n" + part,
          "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" + part + "--b--\r\n",
          "Content-Type: multipart/mixed; boundary=b\r\n\r\n" + x2000 +
              "\r\n--b\r\n\r\nx\r\n--b--\r\n",
          "Content-Type: text/plain\r\nContent-Transfer-Encoding: x-own\r\n\r\n" + x2000 + "\r\n",
          "Content-Type: message/partial; id=1; number=1\r\n\r\n" + x2000 + "\r\n",
          "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
          "message/rfc822\r\n\r\n"
          "DKIM-Signature: v=1; d=example.com; b=x\r\n" +
              part + "--b--\r\n"}) {
        const Reencoded result = reencode_long_lines(message);
        EXPECT_FALSE(result.message) << message.substr(0, 60);
        EXPECT_FALSE(result.reason.empty());
    }
}

TEST(LongLinesTest, AnAttachedMessageIsFollowed) {
    const Reencoded result = reencode_long_lines(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: "
        "message/rfc822\r\n\r\n"
        "Subject: inner\r\n\r\n" +
        x2000 + "\r\n--b--\r\n");
    ASSERT_TRUE(result.message) << result.reason;
    EXPECT_NE(
        result.message->find("Subject: inner\r\nContent-Transfer-Encoding: quoted-printable\r\n"
                             "MIME-Version: 1.0\r\n\r\nxxx"),
        std::string::npos);
}

TEST(LongLinesTest, DeepNestingEnds) {
    std::string message;
    for (int i = 0; i < 200; ++i) {
        const std::string b = "b" + std::to_string(i);
        message += "Content-Type: multipart/mixed; boundary=" + b + "\r\n\r\n--" + b + "\r\n";
    }
    EXPECT_LE(leaves_of(message + "\r\nx\r\n").size(), 1U);
    EXPECT_EQ(leaves_of("").size(), 1U);
}

}  // namespace
}  // namespace millrace::relay
