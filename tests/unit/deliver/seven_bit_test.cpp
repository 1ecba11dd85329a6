// Goal: a server without 8BITMIME gets 7-bit mail that decodes to the same (RFC 6152 §3), or none.
#include "relay/deliver/seven_bit.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

bool is_seven_bit(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

TEST(SevenBit, what_is_7_bit_stays_as_it_is) {
    std::string const message = "Subject: x\r\n\r\nbody = plain \r\n";
    EXPECT_EQ(to_seven_bit(message), message);
}

TEST(SevenBit, text_becomes_quoted_printable) {
    EXPECT_EQ(to_seven_bit("Subject: x\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: "
                           "text/plain; charset=utf-8\r\n\r\nGr\xC3\xBC\xC3\x9F"
                           "e = \r\nand more that is plain text\r\n"),
              "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
              "Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe =3D=20\r\nand "
              "more that is plain text\r\n");
}

TEST(SevenBit, dense_text_and_other_types_become_base64) {
    auto const dense = to_seven_bit("Content-Type: text/plain\r\n\r\n\xE4\xE5\xE6\xE7\xE8\r\n");
    ASSERT_TRUE(dense);
    EXPECT_NE(dense->find("base64\r\n\r\n5OXm5+gNCg==\r\n"), std::string::npos) << *dense;
    auto const image = to_seven_bit("Content-Type: image/png\r\n\r\n\x89PNG abcdefghijklmnop\r\n");
    ASSERT_TRUE(image);
    EXPECT_NE(image->find("Content-Transfer-Encoding: base64"), std::string::npos);
}

TEST(SevenBit, only_the_parts_that_need_it_and_parts_within_parts) {
    std::string const message =
        "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=o\"\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n"
        "--=o\r\nContent-Type: text/plain\r\n\r\nplain = text\r\n"
        "--=o\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n\xC3\xA4 within\r\n"
        "--=o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
        "--i\r\n\r\n\xC3\xB6 alternative\r\n--i--\r\n"
        "--=o--\r\nepilogue\r\n";
    auto const converted = to_seven_bit(message);
    ASSERT_TRUE(converted);
    EXPECT_TRUE(is_seven_bit(*converted));
    EXPECT_NE(converted->find("\r\n\r\nplain = text\r\n"), std::string::npos);
    EXPECT_NE(converted->find("=C3=A4 within\r\n--=o"), std::string::npos) << *converted;
    EXPECT_NE(converted->find("=C3=B6 alternative\r\n--i--\r\n"), std::string::npos) << *converted;
    EXPECT_NE(converted->find("--=o--\r\nepilogue\r\n"), std::string::npos);
    EXPECT_EQ(converted->find("8bit"), std::string::npos);
}

TEST(SevenBit, what_cannot_be_converted_is_not) {
    EXPECT_FALSE(to_seven_bit("Subject: \xC3\xA4\r\n\r\nx\r\n"));
    EXPECT_FALSE(
        to_seven_bit("Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xE4\r\n"
                     "--b--\r\n"));
    EXPECT_FALSE(to_seven_bit("Content-Type: multipart/mixed\r\n\r\n\xE4\r\n"));
    EXPECT_FALSE(to_seven_bit("Content-Type: multipart/mixed; boundary=b\r\n\r\n\xE4\r\n"));
    EXPECT_FALSE(to_seven_bit(
        "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\xE4\r\n"));
}

}  // namespace
}  // namespace millrace::relay
