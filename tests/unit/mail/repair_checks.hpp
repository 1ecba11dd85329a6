#pragma once

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/mail/charset.hpp"
#include "common/mail/encoded_word.hpp"
#include "common/mail/subject.hpp"

/// What must hold for every repaired value, whatever went in.
namespace millrace::test {

/// ASCII, no CR, no NUL, folds are LF + white space, no blank line, lines within 76 columns,
/// encoded-words of at most 75 octets, each of whole characters.
inline void check_form(std::string_view value, std::string_view field_name) {
    EXPECT_TRUE(value.starts_with(' ') || value.starts_with("\n ")) << value;
    std::size_t begin = 0;
    std::size_t taken = field_name.size() + 1;
    while (begin <= value.size()) {
        const std::size_t end = std::min(value.find('\n', begin), value.size());
        const std::string_view line = value.substr(begin, end - begin);
        EXPECT_LE(line.size() + taken, 76U) << line;
        if (begin != 0) {
            EXPECT_TRUE(line.starts_with(' ') || line.starts_with('\t')) << value;
            EXPECT_NE(line.find_first_not_of(" \t"), std::string_view::npos) << value;
        }
        taken = 0;
        begin = end + 1;
    }
    for (const char c : value)
        EXPECT_TRUE((c >= 32 && c < 127) || c == '\n' || c == '\t') << value;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto word = mail::read_encoded_word(value.substr(i));
        if (!word) continue;
        EXPECT_LE(word->size, mail::encoded_word_max);
        bool fault = false;
        EXPECT_TRUE(mail::is_utf8(mail::decode_payload(*word, fault))) << value;
        EXPECT_FALSE(fault) << value;
        i += word->size - 1;
    }
}

inline void check_repair(std::string_view value,
                         std::string_view field_name,
                         const mail::TextOptions& options) {
    const mail::Repair once = mail::repair_unstructured(value, field_name, options);
    const std::string_view result = once.changed ? std::string_view(once.value) : value;
    if (once.changed) check_form(once.value, field_name);
    const mail::Repair twice = mail::repair_unstructured(result, field_name, options);
    EXPECT_FALSE(twice.changed) << "once: " << result << "\ntwice: " << twice.value;
    // 76 columns of frame and fold hold at least 7 code points in Q; a byte is at most one code
    // point.
    EXPECT_LE(once.value.size(), 200 + 20 * value.size());
}

}  // namespace millrace::test
