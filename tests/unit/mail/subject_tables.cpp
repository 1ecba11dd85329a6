// Subjects as other projects' tests decode and encode them.

#include <gtest/gtest.h>

#include "common/mail/charset.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "tests/unit/mail/corpus.hpp"
#include "tests/unit/mail/repair_checks.hpp"
#include "tests/unit/mail/score.hpp"

namespace millrace::mail {
namespace {

using test::Score;

// Decoded text, and the same text again after the repair.
TEST(SubjectTables, DecodedAsElevenProjectsDo) {
    const auto file = test::shared_corpus("subject/decode.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"go-mime-009", "case E18: a bare = in Q is literal, the word is read"},
        {"go-mime-010", "case E18"},
        {"go-mime-032", "case E18"},
        {"mime4j-005", "case E13: an unknown charset is read by the ladder"},
        {"mimekit-001", "case E09: a missing charset is read by the ladder"},
        {"mimekit-002", "case E09"},
        {"dovecot-007",
         "case E34: a wrong UTF-8 label falls back to windows-1252; Dovecot shows U+FFFD"},
        {"cpython-_encoded_words-006", "case E30; the expected text is a Python surrogate escape"},
        {"cpython-_encoded_words-012", "case E51; the expected text is a Python surrogate escape"},
        {"cpython-_encoded_words-014",
         "a charset with non-ASCII bytes is no encoded-word: literal"},
        {"mime4j-023", "bare CR and LF are shown as blanks"},
        {"enmime-017", "bare CR and LF are shown as blanks"},
        {"stalwart-mail-parser-003", "unfolding removes the line end only (RFC 5322 §2.2.3)"},
        {"stalwart-mail-parser-005", "unfolding removes the line end only (RFC 5322 §2.2.3)"},
        {"stalwart-mail-parser-029",
         "case E26: nothing is put between a word and what it is glued to"},
    };
    Score score("decode.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const std::string input = test::from_base64(row.at(2));
        const std::string expected = test::from_base64(row.at(3));
        const std::string got = decode_text(input);
        score.row(row[0],
                  got == trim(expected),
                  row.at(4) + "\n  wanted " + expected + "\n  got    " + got + " " + row.at(6));
        SCOPED_TRACE(row[0]);
        test::check_repair(" " + input, "Subject", {});
    }
}

TEST(SubjectTables, RawBytesAsThunderbirdReadsThem) {
    const auto file = test::shared_corpus("subject/raw8bit.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"jsmime-8bit-09", "UTF-32 cannot be the charset of raw header bytes: windows-1252 counts"},
        {"jsmime-8bit-12", "case E34: a lone byte under a UTF-8 label falls back"},
    };
    Score score("raw8bit.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const TextOptions options{.fallback_charset = row.at(1), .content_charset = {}};
        const std::string input = " " + test::from_base64(row.at(2));
        const std::string expected = test::from_base64(row.at(3));
        const std::string got = decode_text(input, options);
        score.row(row[0], got == expected, "\n  wanted " + expected + "\n  got    " + got);
        SCOPED_TRACE(row[0]);
        test::check_repair(input, "Subject", options);
    }
}

// The text of each row as a raw Subject: the repair has the same text and a proper form.
TEST(SubjectTables, EncodedTextComesBack) {
    const auto file = test::shared_corpus("subject/encode.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"dovecot-enc-011", "line ends in text become blanks"},
        {"dovecot-enc-015", "control characters are dropped"},
        {"dovecot-enc-022", "line ends in text become blanks"},
        {"dovecot-enc-023", "line ends in text become blanks"},
        {"dovecot-enc-027", "control characters are dropped"},
    };
    Score score("encode.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const std::string input = test::from_base64(row.at(3));
        const std::string value = " " + input;
        const TextOptions options{.fallback_charset = "windows-1252", .content_charset = row.at(2)};
        // Bytes that are not in the charset they are said to be in: what the ladder makes of them.
        const std::string wanted =
            is_utf8(input) ? input
                           : decode_charset(input, row.at(2)).value_or(decode_text(value, options));
        const Repair repair = repair_unstructured(value, "Subject", options);
        const std::string got = decode_text(repair.changed ? repair.value : value, options);
        score.row(row[0], got == trim(wanted), row.at(5) + "\n  got    " + got);
        SCOPED_TRACE(row[0]);
        test::check_repair(value, "Subject", options);
    }
}

// What three decoders agree on, ours says too, of the original and of the repaired value.
TEST(SubjectTables, OddSubjectsOfRealMail) {
    const auto file = test::shared_corpus("subject/raw-subjects.tsv");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    static const Score::Differences known = {
        {"subj-0039", "we know iso-8859-8-i, two of the three decoders do not"},
    };
    const auto one_blank = [](std::string_view text) {
        std::string out;
        for (const char c : text)
            if (!((c == ' ' || c == '\t') && (out.empty() || out.back() == ' ')))
                out += c == '\t' ? ' ' : c;
        return std::string(trim(out));
    };
    Score score("raw-subjects.tsv", known);
    for (const auto& row : test::read_table(file)) {
        const std::string value = test::from_base64(row.at(3));
        SCOPED_TRACE(row[0]);
        test::check_repair(value, "Subject", {});
        const Repair repair = repair_unstructured(value, "Subject");
        const std::string before = decode_text(value);
        const std::string after = repair.changed ? decode_text(repair.value) : before;
        EXPECT_EQ(one_blank(after), one_blank(before));
        if (row.at(2) == "3" || row.at(2) == "2") {
            const std::string expected = test::unescape(row.at(5));
            score.row(row[0],
                      one_blank(before) == one_blank(expected),
                      row.at(4) + "\n  wanted " + expected + "\n  got    " + before);
        }
    }
}

}  // namespace
}  // namespace millrace::mail
