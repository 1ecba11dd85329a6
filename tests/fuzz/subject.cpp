// Any bytes as a Subject: the repair is of proper form, final, no longer than its input allows, and
// keeps what a reader sees.

#include "common/mail/subject.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/encoded_word.hpp"

namespace {

using namespace millrace::mail;

constexpr std::string_view charsets[] = {"windows-1252",
                                         "utf-8",
                                         "gb18030",
                                         "shift_jis",
                                         "euc-kr",
                                         "big5",
                                         "koi8-r",
                                         "utf-7",
                                         "nonsense",
                                         ""};

void check_form(std::string_view value, std::string_view name) {
    std::size_t begin = 0;
    std::size_t taken = name.size() + 1;
    while (begin <= value.size()) {
        const std::size_t end = std::min(value.find('\n', begin), value.size());
        const std::string_view line = value.substr(begin, end - begin);
        MILLRACE_CHECK(line.size() + taken <= encoded_line_max || begin == 0);
        MILLRACE_CHECK(line.size() + taken <= 998);
        if (begin != 0) {
            MILLRACE_CHECK(line.starts_with(' ') || line.starts_with('\t'));
            MILLRACE_CHECK(line.find_first_not_of(" \t") != std::string_view::npos);
        }
        taken = 0;
        begin = end + 1;
    }
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        MILLRACE_CHECK((c >= 32 && c < 127) || c == '\n' || c == '\t');
        const auto word = c == '=' ? read_encoded_word(value.substr(i)) : std::nullopt;
        if (!word) continue;
        MILLRACE_CHECK(word->size <= encoded_word_max);
        bool fault = false;
        MILLRACE_CHECK(is_utf8(decode_payload(*word, fault)) && !fault);
        i += word->size - 1;
    }
}

// Blanks at the places where lines were cut may differ in kind, nothing else may.
std::string with_one_kind_of_blank(std::string_view utf8) {
    std::string out;
    for (const char c : utf8)
        out += c == '\t' ? ' ' : c;
    for (const std::string_view blank : {"\xC2\xA0",
                                         "\xE1\x9A\x80",
                                         "\xE2\x80\x80",
                                         "\xE2\x80\x81",
                                         "\xE2\x80\x82",
                                         "\xE2\x80\x83",
                                         "\xE2\x80\x84",
                                         "\xE2\x80\x85",
                                         "\xE2\x80\x86",
                                         "\xE2\x80\x87",
                                         "\xE2\x80\x88",
                                         "\xE2\x80\x89",
                                         "\xE2\x80\x8A",
                                         "\xE2\x80\xAF",
                                         "\xE2\x81\x9F",
                                         "\xE3\x80\x80"})
        for (std::size_t at = out.find(blank); at != std::string::npos; at = out.find(blank, at))
            out.replace(at, blank.size(), " ");
    const std::size_t first = out.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const TextOptions options{.fallback_charset = charsets[data[0] % std::size(charsets)],
                              .content_charset = charsets[data[0] / 16 % std::size(charsets)]};
    const std::string name(1 + data[1] % 80, 'x');
    const std::string_view value(reinterpret_cast<const char*>(data) + 2, size - 2);

    const Repair once = repair_unstructured(value, name, options);
    if (once.changed) check_form(once.value, name);
    MILLRACE_CHECK(once.value.size() <= 200 + 40 * value.size());
    const std::string_view result = once.changed ? std::string_view(once.value) : value;
    MILLRACE_CHECK(!repair_unstructured(result, name, options).changed);

    const std::string before = decode_text(value, options);
    MILLRACE_CHECK(is_utf8(before));
    MILLRACE_CHECK(with_one_kind_of_blank(decode_text(result, options)) ==
                   with_one_kind_of_blank(before));
    return 0;
}
