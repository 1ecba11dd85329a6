// Charsets, encoded-words and the parts of the repair that the case table does not reach.

#include <gtest/gtest.h>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/encoded_word.hpp"
#include "common/mail/subject.hpp"
#include "tests/unit/mail/repair_checks.hpp"

namespace millrace::mail {
namespace {

TEST(Charsets, LabelsAsTheyAreWritten) {
    EXPECT_EQ(canonical_charset("UTF8"), "utf-8");
    EXPECT_EQ(canonical_charset("iso_8859-1:1987"), "iso-8859-1");
    EXPECT_EQ(canonical_charset("ISO-8859-1*en"), "iso-8859-1");
    EXPECT_EQ(canonical_charset("ks_c_5601-1987"), "euc-kr");
    EXPECT_FALSE(is_known_charset("unknown-8bit"));
    EXPECT_FALSE(is_known_charset(""));
}

// Every converter of the table exists in this ICU: a letter comes out as itself.
TEST(Charsets, EveryConverterIsThere) {
    for (const char* label :
         {"us-ascii",      "iso-8859-1",    "iso-8859-2",   "iso-8859-3",     "iso-8859-4",
          "iso-8859-5",    "iso-8859-6",    "iso-8859-7",   "iso-8859-8",     "iso-8859-9",
          "iso-8859-10",   "iso-8859-11",   "iso-8859-13",  "iso-8859-14",    "iso-8859-15",
          "windows-874",   "windows-1250",  "windows-1251", "windows-1252",   "windows-1253",
          "windows-1254",  "windows-1255",  "windows-1256", "windows-1257",   "windows-1258",
          "koi8-r",        "koi8-u",        "macintosh",    "x-mac-cyrillic", "x-mac-greek",
          "x-mac-ce",      "x-mac-turkish", "ibm437",       "ibm720",         "ibm737",
          "ibm775",        "ibm850",        "ibm852",       "ibm855",         "ibm857",
          "ibm858",        "ibm860",        "ibm861",       "ibm862",         "ibm863",
          "ibm864",        "ibm865",        "ibm866",       "ibm869",         "gb18030",
          "gbk",           "gb2312",        "hz-gb-2312",   "big5",           "big5-hkscs",
          "euc-tw",        "shift_jis",     "windows-31j",  "euc-jp",         "iso-2022-jp",
          "iso-2022-jp-2", "euc-kr",        "windows-949",  "iso-2022-kr",    "iso-2022-cn",
          "utf-7"}) {
        EXPECT_TRUE(is_known_charset(label)) << label;
        EXPECT_EQ(decode_charset("a", label), "a") << label;
    }
}

TEST(Charsets, WhatDoesNotFit) {
    EXPECT_EQ(decode_charset("\x81", "windows-1252"), std::nullopt);
    EXPECT_EQ(decode_charset_lossy("\x81", "windows-1252"), "\xEF\xBF\xBD");
    EXPECT_EQ(decode_charset("\xED\xA0\x80", "utf-8"), std::nullopt);
    EXPECT_EQ(replace_invalid_utf8("a\xE2\x82z\xC0"), "a\xEF\xBF\xBDz\xEF\xBF\xBD");
    EXPECT_EQ(decode_charset("\x87\x40", "shift_jis", Width::exact), std::nullopt);
    EXPECT_EQ(decode_charset("\x87\x40", "shift_jis"), "\xE2\x91\xA0");
}

TEST(Repair, UsesTheMessagesOwnCharset) {
    const TextOptions options{.fallback_charset = "windows-1252", .content_charset = "koi8-r"};
    const Repair repair = repair_unstructured(" \xF0\xD2\xC9\xD7\xC5\xD4", "Subject", options);
    EXPECT_EQ(decode_text(repair.value), "\xD0\x9F\xD1\x80\xD0\xB8\xD0\xB2\xD0\xB5\xD1\x82");
    EXPECT_FALSE(repair.defects.has(TextDefect::charset_guess));
    EXPECT_TRUE(repair_unstructured(" caf\xE9", "Subject").defects.has(TextDefect::charset_guess));
}

TEST(Repair, TextCutOffInsideACharacter) {
    EXPECT_EQ(decode_text("Gr\xC3\xBC\xC3\x9F"
                          "e\xE2\x82"),
              "Gr\xC3\xBC\xC3\x9F"
              "e\xEF\xBF\xBD");
}

// A family of three is one character of 18 bytes: no room for it on the line is no second blank.
TEST(Repair, AFoldBeforeTheFirstEncodedWordIsTheBlank) {
    std::string text = "windows ";
    for (int i = 0; i < 6; ++i)
        text += "\xF0\x9F\x91\xA8\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7";
    for (std::size_t name = 1; name <= 75; ++name) {
        const Repair repair = repair_unstructured(text, std::string(name, 'x'));
        ASSERT_TRUE(repair.changed);
        EXPECT_EQ(decode_text(repair.value), text) << name << ": " << repair.value;
    }
}

TEST(Repair, LongLinesAreFoldedWhereTheyMay) {
    std::string words;
    for (int i = 0; i < 300; ++i)
        words += " word";
    test::check_repair(words, "Subject", {});
    EXPECT_EQ(decode_text(repair_unstructured(words, "Subject").value), words.substr(1));
    std::string double_blanks;
    for (int i = 0; i < 300; ++i)
        double_blanks += "  word";
    test::check_repair(double_blanks, "Subject", {});
    EXPECT_EQ(decode_text(repair_unstructured(double_blanks, "Subject").value),
              double_blanks.substr(2));
    test::check_repair(" caf\xE9 " + std::string(2000, 'x'), std::string(70, 'X'), {});
}

TEST(Repair, MarksStayWithTheirLetters) {
    std::string text;
    for (int i = 0; i < 60; ++i)
        text += "e\xCC\x81";  // e and a combining acute
    const Repair repair = repair_unstructured(" " + text, "Subject");
    for (std::size_t i = 0; i < repair.value.size(); ++i) {
        const auto word = read_encoded_word(std::string_view(repair.value).substr(i));
        if (!word) continue;
        bool fault = false;
        EXPECT_TRUE(decode_payload(*word, fault).starts_with('e')) << repair.value;
        i += word->size - 1;
    }
}

// Inputs on which a careless parser takes a step for every pair of bytes: at 1 MB that would be
// hours.
TEST(Repair, AMegabyteOfTrouble) {
    const auto repeat = [](std::string_view piece) {
        std::string out;
        while (out.size() < 1'000'000)
            out += piece;
        return out;
    };
    for (const char* piece : {"=?",
                              "=?a?Q?",
                              "=?utf-8?B?",
                              "=?utf-8?Q?=E2?= ",
                              "=?utf-8?Q?a?==",
                              "\xE2",
                              "\x1b$B!",
                              "\n ",
                              "a ",
                              "=",
                              "=?x?b?w6k=?=\n\t",
                              "\xE9 ",
                              "e\xCC\x81"}) {
        const std::string text = repeat(piece);
        const Repair repair = repair_unstructured(text, "Subject");
        EXPECT_LE(repair.value.size(), 40 * text.size());
    }
    for (const char* piece : {"<",
                              "<a,",
                              "(",
                              "\"",
                              "[",
                              "\\\"",
                              ":",
                              "a@:",
                              ",",
                              "a@b,",
                              "a <",
                              "\xE9 <",
                              "(\xE9)",
                              "g: ",
                              ";",
                              "=?a?q?",
                              "\"a\"."}) {
        const std::string text = repeat(piece);
        const auto list = parse_addresses(text, Reading::lenient);
        if (list) EXPECT_LE(list->addresses.size(), text.size());
        EXPECT_LE(repair_addresses(text, "To").value.size(), 40 * text.size());
    }
}

}  // namespace
}  // namespace millrace::mail
