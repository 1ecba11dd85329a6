#include "common/mail/subject.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/mail/header_block.hpp"
#include "common/mail/text_decoder.hpp"
#include "common/mail/text_encoder.hpp"

namespace millrace::mail {
namespace {

constexpr std::size_t line_max = 998;  // RFC 5322 §2.1.1

// Whether a physical line is longer than allowed. `taken`: what name and colon need of the first.
bool has_long_line(std::string_view value, std::size_t taken) {
    std::size_t begin = 0;
    while (begin <= value.size()) {
        std::size_t end = std::min(value.find('\n', begin), value.size());
        std::size_t size = end - begin + taken;
        if (end != begin && end < value.size() && value[end - 1] == '\r') --size;
        if (size > line_max) return true;
        taken = 0;
        begin = end + 1;
    }
    return false;
}

// No encoded-word, no line break, nothing but printable ASCII and blanks: right without a closer
// look.
bool is_plain(std::string_view value) {
    char previous = 0;
    for (const char c : value) {
        if ((c < 32 && c != '\t') || c > 126 || (c == '?' && previous == '=')) return false;
        previous = c;
    }
    return true;
}

}  // namespace

std::string_view name_of(TextDefect defect) {
    using enum TextDefect;
    switch (defect) {
        case raw_8bit:
            return "raw-8bit";
        case malformed_word:
            return "malformed-word";
        case long_word:
            return "long-word";
        case unknown_charset:
            return "unknown-charset";
        case undecodable:
            return "undecodable";
        case charset_guess:
            return "charset-guess";
        case mislabel_suspect:
            return "mislabel-suspect";
        case mislabelled:
            return "mislabelled";
        case control:
            return "control";
        case long_line:
            return "long-line";
        case blank_fold:
            return "blank-fold";
        case bidi_override:
            return "bidi-override";
    }
    return "unknown";
}

Repair repair_unstructured(std::string_view value,
                           std::string_view field_name,
                           const TextOptions& options) {
    const std::size_t taken = field_name.size() + 1;
    const bool long_line = has_long_line(value, taken);
    if (!long_line && is_plain(value)) return {};

    DecodedText decoded;
    decode_folded(normalise_folds(value, decoded), options, decoded);
    if (long_line) decoded.defects.add(TextDefect::long_line);
    if (decoded.right && !long_line) return {false, {}, decoded.defects};

    const std::string text = with_plain_blanks(decoded.text);
    const std::string_view shown = trim(text);
    LineWriter lines(taken);
    if (!shown.empty()) write_text(lines, shown, Place::unstructured);
    return {true, shown.empty() ? " " : lines.take(), decoded.defects};
}

std::string decode_text(std::string_view value, const TextOptions& options) {
    DecodedText decoded;
    decode_folded(normalise_folds(trim(value), decoded), options, decoded);
    return std::string(trim(decoded.text));
}

}  // namespace millrace::mail
