#include "common/smtp/xtext.hpp"

namespace millrace::smtp {

namespace {

constexpr std::string_view hex = "0123456789ABCDEF";

bool stands_for_itself(char c) {
    return c > ' ' && c < 127 && c != '+' && c != '=';
}

// Upper case only: RFC 3461 §4 knows no other.
int hex_digit(char c) {
    const std::size_t at = hex.find(c);
    return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

std::string encode_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        if (stands_for_itself(c)) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        out += '+';
        out += hex[byte >> 4];
        out += hex[byte & 15];
    }
    return out;
}

std::optional<std::string> decode_xtext(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (stands_for_itself(text[i])) {
            out += text[i];
            continue;
        }
        if (text[i] != '+' || text.size() - i < 3) return std::nullopt;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        const char byte = static_cast<char>(high * 16 + low);
        if (byte == '\0' || byte == '\r' || byte == '\n') return std::nullopt;
        out += byte;
        i += 2;
    }
    return out;
}

bool is_xtext(std::string_view text) {
    return decode_xtext(text).has_value();
}

}  // namespace millrace::smtp
