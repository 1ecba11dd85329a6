// Goal: other servers' tables of paths and dot-stuffing hold here, or a reason says why not. The
// tables lie beside the repository and are skipped when they do not.
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/smtp/command.hpp"
#include "common/smtp/data_reader.hpp"
#include "common/smtp/data_writer.hpp"
#include "tests/unit/mail/corpus.hpp"
#include "tests/unit/mail/score.hpp"

namespace millrace::smtp {
namespace {

// `\r` and `\n` as two characters each.
std::string unescape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool escape = text[i] == '\\' && i + 1 < text.size();
        if (!escape) {
            out += text[i];
        } else {
            ++i;
            out += text[i] == 'r' ? '\r' : '\n';
        }
    }
    return out;
}

TEST(Corpus, Paths) {
    const auto rows = test::read_table(test::shared_corpus("smtp/paths.tsv"));
    if (rows.empty()) GTEST_SKIP() << "corpora/smtp/paths.tsv is not here";
    const std::string brackets = "RFC 5321 §4.1.2 wants angle brackets";
    const std::string parameter = "an unknown parameter is 555 here (RFC 5321 §4.1.1.11)";
    const std::string domain = "only Postmaster may stand without a domain, and only in RCPT";
    const test::Score::Differences known = {{"2", brackets},
                                            {"10", domain},
                                            {"11", brackets},
                                            {"12", brackets},
                                            {"13", parameter},
                                            {"14", parameter},
                                            {"16", brackets},
                                            {"17", parameter},
                                            {"18", parameter}};
    test::Score score("smtp/paths.tsv", known);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& row = rows[i];
        ASSERT_GE(row.size(), 4U);
        const bool from = row[1] == "MAIL FROM:";
        const bool valid = row[2].starts_with("valid");
        std::string address;
        bool read = false;
        if (from) {
            const auto mail = parse_mail("FROM:" + row[3], Dialect::extended);
            read = mail.has_value();
            if (read) address = mail->path.address();
        } else {
            const auto rcpt = parse_rcpt("TO:" + row[3], Dialect::extended, false);
            read = rcpt.has_value();
            if (read) address = rcpt->path.address();
        }
        const bool same = read == valid && (!read || row.size() < 5 || address == row[4]);
        score.row(std::to_string(i + 1), same, row[3]);
    }
}

TEST(Corpus, DataTransparency) {
    const auto rows = test::read_table(test::shared_corpus("smtp/data-transparency.tsv"));
    if (rows.empty()) GTEST_SKIP() << "corpora/smtp/data-transparency.tsv is not here";
    const std::string repaired = "bare line ends are mended on the way out, a last line is ended";
    const test::Score::Differences known = {
        {"1", repaired}, {"2", repaired}, {"3", repaired}, {"4", repaired}};
    test::Score score("smtp/data-transparency.tsv", known);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto row = rows[i];
        row.resize(4);
        const std::string input = unescape(row[2]);
        bool same = false;
        if (row[0] == "write") {
            std::string wire, piece;
            DataWriter writer(input);
            while (writer.next(piece, 4096))
                wire += piece;
            same = row[1] == "ok" && wire == unescape(row[3]);
        } else {
            DataReader reader(1 << 20);
            std::string_view rest = input;
            reader.feed(rest);
            const bool clean = !reader.bare_cr() && !reader.bare_lf() && !reader.zero_byte();
            same = reader.done() && clean == (row[1] == "ok") &&
                   (!clean || reader.take() == unescape(row[3]));
        }
        score.row(std::to_string(i + 1), same, row[2]);
    }
}

}  // namespace
}  // namespace millrace::smtp
