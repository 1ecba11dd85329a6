#include "common/handover/handover.hpp"

#include <random>
#include <vector>

#include <gtest/gtest.h>

// Goal: what the milter signs the relay reads, and nothing else.
namespace millrace::handover {
namespace {

const Key key = "0123456789abcdef0123456789abcdef";

Handover usual() {
    return {.time = 1'795'508'130,
            .queue_id = "6FE41A781F3",
            .account = "anna+shop@example.com",
            .client = "2001:db8::7",
            .origin = policy::Origin::submission,
            .verdict = Verdict::judged,
            .tag = "invoice",
            .sender = digest_of("anna@example.com")};
}

// Worked out with Python's hashlib and hmac, not with this code.
TEST(Handover, GoldenVector) {
    EXPECT_EQ(digest_of("anna@example.com"),
              "f7d54c22dda5b1780276601cd005909b70543fc4a6ba72d735b4cb9bbb611f01");
    EXPECT_EQ(sign(usual(), key),
              "v=1;t=1795508130;q=6FE41A781F3;a=anna%2Bshop@example.com;c=2001:db8::7;"
              "o=submission;d=accept;g=invoice;"
              "e=f7d54c22dda5b1780276601cd005909b70543fc4a6ba72d735b4cb9bbb611f01;"
              "s=5271ad0ba6d39ab8c8ff6fe9c55ed140767b12ad66dcff6f57982e9663c29850");
    EXPECT_EQ(field_value(usual(), key),
              " v=1; t=1795508130; q=6FE41A781F3;\n"
              "\ta=anna%2Bshop@example.com; c=2001:db8::7; o=submission; d=accept; g=invoice;\n"
              "\te=f7d54c22dda5b1780276601cd005909b70543fc4a6ba72d735b4cb9bbb611f01;\n"
              "\ts=5271ad0ba6d39ab8c8ff6fe9c55ed140767b12ad66dcff6f57982e9663c29850");
}

std::string odd_text(std::mt19937& random) {
    std::string out(random() % 3 == 0 ? random() % value_max : random() % 40, ' ');
    const bool plain = random() % 2 == 0;
    for (char& c : out) {
        c = static_cast<char>(plain ? 'a' + random() % 26 : random() % 256);
    }
    return out;
}

TEST(Handover, WhatIsSignedIsReadHoweverItIsFolded) {
    std::mt19937 random(20261124);
    for (int i = 0; i < 5000; ++i) {
        Handover told = usual();
        told.time = static_cast<std::int64_t>(random()) - 1000;
        told.queue_id = "Q" + odd_text(random).substr(0, 100);
        told.account = odd_text(random);
        told.client = odd_text(random);
        told.tag = odd_text(random);
        told.origin = static_cast<policy::Origin>(random() % 3);
        told.verdict = static_cast<Verdict>(random() % 2);
        const std::string value = field_value(told, key);
        std::size_t column = field_name.size() + 1;
        for (const char c : value) {
            column = c == '\n' ? 0 : column + 1;
            ASSERT_LE(column, 78U) << value;
            ASSERT_TRUE(c == '\n' || c == '\t' || (c >= ' ' && c <= '~')) << value;
        }
        ASSERT_EQ(value.find("\n\t\n"), std::string::npos) << value;
        const auto again = read(value, key);
        ASSERT_TRUE(again) << again.error() << value;
        ASSERT_EQ(*again, told) << value;
        std::string crlf;
        for (const char c : value) {
            crlf += c == '\n' ? "\r\n" : std::string(1, c);
        }
        ASSERT_TRUE(read(crlf, key));
    }
}

TEST(Handover, NoByteMayChange) {
    const std::string text = sign(usual(), key);
    ASSERT_TRUE(read(text, key));
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = changed[i] == 'x' ? 'y' : 'x';
        EXPECT_FALSE(read(changed, key)) << changed;
        EXPECT_FALSE(read(text.substr(0, i), key)) << text.substr(0, i);
        EXPECT_FALSE(read(text + text.substr(i), key));
    }
}

TEST(Handover, AnotherKeyOrNoneIsNotBelieved) {
    const std::string text = sign(usual(), key);
    const auto other = read(text, "another key of thirty-two bytes!");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error(), "the signature is not of our key");
    EXPECT_FALSE(read(sign(usual(), ""), "")) << "no key is no key";
    EXPECT_EQ(read("forged", key).error(), "the field has no signature");
    EXPECT_FALSE(read(std::string(100'000, 'x'), key));
}

// Signed with the key, and still not what sign() writes.
TEST(Handover, TheFormIsStrict) {
    const std::string e = digest_of("");
    const std::string good = "v=1;t=5;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e;
    EXPECT_TRUE(read(seal(good, key), key));
    for (const std::string& bad : std::vector<std::string>{
             "v=2;t=5;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=05;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=99999999999999999999;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=;a=;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;c=;a=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=%4;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=%;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=%zz;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=%2b;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=%61;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=a=b;c=;o=local;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=;c=;o=remote;d=untouched;g=;e=" + e,
             "v=1;t=5;q=Q;a=;c=;o=local;d=;g=;e=" + e,
             "v=1;t=5;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e.substr(1),
             "v=1;t=5;q=Q;a=;c=;o=local;d=untouched;g=",
             "v=1;t=5;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e + ";",
             "v=1;t=5;q=Q;a=;c=;o=local;d=untouched;g=;e=" + e + ";x=1",
             std::string()}) {
        const auto got = read(seal(bad, key), key);
        ASSERT_FALSE(got) << bad;
        EXPECT_EQ(got.error(), "the field is of another version, or malformed");
    }
}

TEST(Handover, WithoutAQueueIdOrWithTooLongALoginThereIsNothingToHandOver) {
    Handover told = usual();
    told.queue_id.clear();
    EXPECT_EQ(field_value(told, key), "");
    told = usual();
    told.account.assign(value_max + 1, 'a');
    EXPECT_EQ(field_value(told, key), "");
}

}  // namespace
}  // namespace millrace::handover
