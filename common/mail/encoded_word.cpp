#include "common/mail/encoded_word.hpp"

#include <unicode/uchar.h>

#include "common/mail/transfer_encoding.hpp"
#include "common/mail/utf8.hpp"

namespace millrace::mail {
namespace {

constexpr std::string_view prefix_b = "=?UTF-8?B?";
constexpr std::string_view prefix_q = "=?UTF-8?Q?";
constexpr std::size_t frame = 12;  // a prefix and the closing `?=`
constexpr std::string_view hex_digits = "0123456789ABCDEF";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_linear_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_8bit_or_control(char c) {
    return static_cast<unsigned char>(c) < 0x21 || c > 0x7E || c < 0;
}

// RFC 2047 §2: a token has no blanks, controls or especials.
bool is_token(char c) {
    return !is_8bit_or_control(c) &&
           std::string_view("()<>@,;:\"/[]?=").find(c) == std::string_view::npos;
}

// The size of `=?charset?B?` at text[0]; 0 when there is none. Fills the word's head.
std::size_t read_head(std::string_view text, EncodedWord& word) {
    if (!text.starts_with("=?")) return 0;
    std::size_t i = 2;
    while (i < text.size() && is_token(text[i]))
        ++i;
    const std::string_view charset = text.substr(2, i - 2);
    if (i + 2 >= text.size() || text[i] != '?' || text[i + 2] != '?') return 0;
    const char encoding = static_cast<char>(text[i + 1] & ~0x20);
    if (encoding != 'B' && encoding != 'Q') return 0;
    word.charset = charset.substr(0, charset.find('*'));
    word.encoding = encoding;
    return i + 3;
}

std::string decode_q(std::string_view payload, bool& fault) {
    std::string out;
    out.reserve(payload.size());
    for (std::size_t i = 0; i < payload.size(); ++i) {
        const char c = payload[i];
        if (c == '\n') {  // an MTA has cut the word to fold it: take out what it put in
            fault = true;
            while (i + 1 < payload.size() && is_linear_space(payload[i + 1]))
                ++i;
            continue;
        }
        if (is_8bit_or_control(c) || c == '?') fault = true;
        if (c == '_') {
            out += ' ';
            continue;
        }
        const int high = c == '=' && i + 2 < payload.size() ? hex_value(payload[i + 1]) : -1;
        const int low = high >= 0 ? hex_value(payload[i + 2]) : -1;
        if (low >= 0) {
            out += static_cast<char>(high << 4 | low);
            i += 2;
            continue;
        }
        if (c == '=') fault = true;
        out += c;
    }
    return out;
}

std::string decode_b(std::string_view payload, bool& fault) {
    std::string out;
    out.reserve(payload.size() / 4 * 3 + 3);
    unsigned bits = 0;
    std::size_t digits = 0;
    std::size_t padding = 0;
    for (const char c : payload) {
        if (c == '=') {
            ++padding;
            continue;
        }
        const std::size_t value = base64_digits.find(c);
        if (value == std::string_view::npos) {
            fault = true;
            continue;
        }
        if (padding != 0) {  // two pieces of base64 in one word: start again
            fault = true;
            padding = 0;
            digits = 0;
        }
        bits = bits << 6U | static_cast<unsigned>(value);
        switch (++digits % 4) {
            case 2:
                out += static_cast<char>(bits >> 4U);
                break;
            case 3:
                out += static_cast<char>(bits >> 2U);
                break;
            case 0:
                out += static_cast<char>(bits);
                break;
            default:
                break;
        }
    }
    const std::size_t wanted = digits % 4 == 0 ? 0 : 4 - digits % 4;
    if (padding != wanted || digits % 4 == 1) fault = true;
    return out;
}

bool is_phrase_safe(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '!' ||
           c == '*' || c == '+' || c == '-' || c == '/';
}

std::size_t q_size(std::string_view text) {
    std::size_t n = 0;
    for (const char c : text)
        n += is_phrase_safe(c) || c == ' ' ? 1 : 3;
    return n;
}

std::size_t b_size(std::size_t bytes) {
    return (bytes + 2) / 3 * 4;
}

void append_q(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto value = static_cast<unsigned char>(c);
        if (c == ' ') {
            out += '_';
        } else if (is_phrase_safe(c)) {
            out += c;
        } else {
            out += '=';
            out += hex_digits[value >> 4U];
            out += hex_digits[value & 15U];
        }
    }
}

void append_b(std::string& out, std::string_view text) {
    for (std::size_t i = 0; i < text.size(); i += 3) {
        unsigned bits = 0;
        const std::size_t n = std::min<std::size_t>(3, text.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            bits = bits << 8U | (k < n ? static_cast<unsigned char>(text[i + k]) : 0U);
        for (std::size_t k = 0; k < 4; ++k)
            out += k <= n ? base64_digits[bits >> (18 - 6 * k) & 63U] : '=';
    }
}

// The bytes of what a reader takes for one character at text[0]: a code point with its marks,
// joined emoji, a flag. At most `limit` bytes, never less than one code point.
std::size_t cluster_size(std::string_view text, std::size_t limit) {
    std::size_t size = 0;
    char32_t previous = 0;
    unsigned flags = 0;
    while (size < text.size()) {
        const std::string_view rest = text.substr(size);
        const std::size_t n = std::max<std::size_t>(utf8_sequence(rest), 1);
        const char32_t c = utf8_decode(rest, n);
        const auto kind =
            u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_GRAPHEME_CLUSTER_BREAK);
        const bool flag = kind == U_GCB_REGIONAL_INDICATOR;
        const bool joins = kind == U_GCB_EXTEND || kind == U_GCB_ZWJ ||
                           kind == U_GCB_SPACING_MARK || (previous == 0x200D && c > 0x7F) ||
                           (flag && flags == 1);
        if (size != 0 && (!joins || size + n > limit)) break;
        flags = flag ? flags + 1 : 0;
        previous = c;
        size += n;
    }
    return size;
}

}  // namespace

std::optional<EncodedWord> read_encoded_word(std::string_view text) {
    EncodedWord word;
    const std::size_t head = read_head(text, word);
    if (head == 0) return std::nullopt;
    for (std::size_t i = head; i + 1 < text.size(); ++i) {
        if (text[i] == '?' && text[i + 1] == '=') {
            word.payload = text.substr(head, i - head);
            word.size = i + 2;
            return word;
        }
        EncodedWord next;
        // Another word begins: this one never ended. Its own `=?` may not be the end of a payload.
        if (text[i] == '=' && read_head(text.substr(i), next) != 0) return std::nullopt;
        if (word.encoding == 'B' && text[i] == '?') return std::nullopt;
    }
    return std::nullopt;
}

std::string decode_payload(const EncodedWord& word, bool& fault) {
    return word.encoding == 'B' ? decode_b(word.payload, fault) : decode_q(word.payload, fault);
}

std::string encode_words(std::string_view utf8, std::size_t& column, std::size_t reserve) {
    const std::size_t line_max = encoded_line_max - reserve;
    const bool q = q_size(utf8) <= b_size(utf8.size());
    const auto size_of = [q](std::string_view text) {
        return q ? q_size(text) : b_size(text.size());
    };
    std::string out;
    while (!utf8.empty()) {
        const std::size_t room =
            column >= line_max ? 0 : std::min(encoded_word_max, line_max - column);
        const std::size_t payload_max = room > frame ? room - frame : 0;
        std::size_t taken = 0;
        std::size_t q_taken = 0;
        while (taken < utf8.size()) {
            // 45 bytes fill a whole word in B, 21 in Q: larger clusters are cut at code points.
            const std::size_t n = cluster_size(utf8.substr(taken), q ? 21 : 45);
            const std::size_t grown =
                q ? q_taken + q_size(utf8.substr(taken, n)) : b_size(taken + n);
            if (grown > payload_max) break;
            if (q) q_taken = grown;
            taken += n;
        }
        if (taken == 0 && column > 1) {  // nothing fits here: go on in the next line
            out += "\n ";
            column = 1;
            continue;
        }
        const std::string_view piece = utf8.substr(0, taken);
        out += q ? prefix_q : prefix_b;
        q ? append_q(out, piece) : append_b(out, piece);
        out += "?=";
        column += frame + size_of(piece);
        utf8.remove_prefix(taken);
        if (!utf8.empty()) {
            out += "\n ";
            column = 1;
        }
    }
    return out;
}

}  // namespace millrace::mail
