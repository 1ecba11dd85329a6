// Goal: real replies mean what an expert said they mean: type, axis and pause, all of them.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {
namespace {

struct Labelled {
    unsigned line = 0;
    std::string source, provider, sender_domain, reply, type, axis, pause;
};

std::vector<Labelled> labelled() {
    std::ifstream in(std::string(MILLRACE_SOURCE_DIR) + "/tests/data/shaping/replies.tsv");
    std::vector<Labelled> all;
    unsigned number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        if (line.starts_with('#') || line.starts_with("source\t")) continue;
        std::istringstream fields(line);
        Labelled row;
        row.line = number;
        for (auto* const field : {&row.source,
                                  &row.provider,
                                  &row.sender_domain,
                                  &row.reply,
                                  &row.type,
                                  &row.axis,
                                  &row.pause}) {
            std::getline(fields, *field, '\t');
        }
        if (row.provider == "-") row.provider.clear();
        all.push_back(std::move(row));
    }
    return all;
}

/// Code, enhanced code and text, as a conversation hands them over.
Typed type(const Labelled& row, std::string_view text) {
    auto const code = static_cast<unsigned>(std::stoul(row.reply.substr(0, 3)));
    auto const word = text.substr(0, text.find(' '));
    if (enhanced_code(word)) {
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        return shipped_book()->type(row.provider, code, word, text, row.sender_domain);
    }
    return shipped_book()->type(row.provider, code, {}, text, row.sender_domain);
}

void expect(const Labelled& row, const Typed& typed) {
    auto const pause = row.pause == "-" ? Duration{} : config::parse_duration(row.pause).value();
    EXPECT_EQ(to_string(typed.blame), row.type) << row.line << ": " << row.reply << typed.rule;
    EXPECT_EQ(to_string(typed.axis), row.axis) << row.line << ": " << row.reply << typed.rule;
    EXPECT_EQ(typed.pause, pause) << row.line << ": " << row.reply << typed.rule;
}

TEST(Replies, all_mean_what_they_are_labelled) {
    auto const rows = labelled();
    EXPECT_GE(rows.size(), 150U);
    for (auto const& row : rows) {
        expect(row, type(row, std::string_view(row.reply).substr(4)));
    }
}

TEST(Replies, all_mean_the_same_in_capitals_and_with_odd_blanks) {
    for (auto const& row : labelled()) {
        std::string odd = row.reply.substr(0, 4);
        for (char const c : row.reply.substr(4)) {
            odd += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
            if (c == ' ' && odd.size() > 12) odd += "\t ";
        }
        expect(row, type(row, std::string_view(odd).substr(4)));
    }
}

TEST(Replies, the_code_may_stand_in_the_text_alone) {
    for (auto const& row : labelled()) {
        auto const code = static_cast<unsigned>(std::stoul(row.reply.substr(0, 3)));
        for (std::string const before : {"", " ", "\t  "}) {
            auto const text = before + row.reply.substr(4);
            expect(row, shipped_book()->type(row.provider, code, {}, text, row.sender_domain));
        }
    }
}

}  // namespace
}  // namespace millrace::relay
