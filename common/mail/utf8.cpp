#include "common/mail/utf8.hpp"

namespace millrace::mail {
namespace {

unsigned char byte(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

struct Lead {
    std::size_t size = 0;              // 0: starts nothing
    unsigned low = 0x80, high = 0xBF;  // range of the second byte
};

Lead lead_of(unsigned char c) {
    if (c < 0x80) return {1};
    if (c < 0xC2) return {};
    if (c < 0xE0) return {2};
    if (c == 0xE0) return {3, 0xA0, 0xBF};
    if (c == 0xED) return {3, 0x80, 0x9F};
    if (c < 0xF0) return {3};
    if (c == 0xF0) return {4, 0x90, 0xBF};
    if (c < 0xF4) return {4};
    if (c == 0xF4) return {4, 0x80, 0x8F};
    return {};
}

// How many bytes of a sequence stand at text[0]; 0 when the first or second does not fit.
std::size_t well_formed_prefix(std::string_view text, const Lead& lead) {
    std::size_t n = 1;
    for (; n < lead.size && n < text.size(); ++n) {
        const unsigned c = byte(text, n);
        const unsigned low = n == 1 ? lead.low : 0x80;
        const unsigned high = n == 1 ? lead.high : 0xBF;
        if (c < low || c > high) return 0;
    }
    return n;
}

// A surrogate in three bytes, ED A0..BF xx; 0 when there is none.
char32_t surrogate(std::string_view text) {
    if (text.size() < 3 || byte(text, 0) != 0xED || byte(text, 1) < 0xA0 || byte(text, 1) > 0xBF ||
        byte(text, 2) < 0x80 || byte(text, 2) > 0xBF)
        return 0;
    return 0xD000U | (byte(text, 1) & 0x3FU) << 6U | (byte(text, 2) & 0x3FU);
}

}  // namespace

std::size_t utf8_sequence(std::string_view text) {
    if (text.empty()) return 0;
    const Lead lead = lead_of(byte(text, 0));
    if (lead.size == 0) return 0;
    return well_formed_prefix(text, lead) == lead.size ? lead.size : 0;
}

bool is_truncated_utf8(std::string_view text) {
    if (text.empty()) return false;
    const Lead lead = lead_of(byte(text, 0));
    return text.size() < lead.size && well_formed_prefix(text, lead) == text.size();
}

char32_t utf8_decode(std::string_view text, std::size_t size) {
    if (size == 1) return byte(text, 0);
    char32_t c = byte(text, 0) & (0xFFU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i)
        c = c << 6U | (byte(text, i) & 0x3FU);
    return c;
}

void append_utf8(std::string& out, char32_t c) {
    const auto tail = [&out](char32_t bits) {
        out += static_cast<char>(0x80U | (bits & 0x3FU));
    };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xC0U | c >> 6U);
        tail(c);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xE0U | c >> 12U);
        tail(c >> 6U);
        tail(c);
    } else {
        out += static_cast<char>(0xF0U | c >> 18U);
        tail(c >> 12U);
        tail(c >> 6U);
        tail(c);
    }
}

bool cesu8_to_utf8(std::string_view bytes, std::string& out) {
    std::string text;
    bool pair_found = false;
    while (!bytes.empty()) {
        if (const std::size_t n = utf8_sequence(bytes); n != 0) {
            text += bytes.substr(0, n);
            bytes.remove_prefix(n);
            continue;
        }
        const char32_t high = surrogate(bytes);
        const char32_t low = bytes.size() >= 6 ? surrogate(bytes.substr(3)) : 0;
        if (high < 0xD800 || high > 0xDBFF || low < 0xDC00) return false;
        append_utf8(text, 0x10000 + ((high - 0xD800) << 10U) + (low - 0xDC00));
        bytes.remove_prefix(6);
        pair_found = true;
    }
    if (!pair_found) return false;
    out = std::move(text);
    return true;
}

}  // namespace millrace::mail
