#include "common/mail/transfer_encoding.hpp"

#include <cstddef>

namespace millrace::mail {

namespace {

constexpr std::size_t body_line_max = 76;

}  // namespace

int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

std::string quoted_printable(std::string_view body) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string result;
    std::size_t column = 0;
    for (std::size_t i = 0; i < body.size(); ++i) {
        auto const c = body[i];
        if (c == '\r' && i + 1 < body.size() && body[i + 1] == '\n') {
            result += "\r\n";
            column = 0;
            ++i;
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        bool const ends_line = i + 1 == body.size() || body[i + 1] == '\r';
        bool const literal =
            (byte > 0x20 && byte < 0x7F && c != '=') || ((c == ' ' || c == '\t') && !ends_line);
        auto const width = literal ? 1U : 3U;
        if (column + width > body_line_max - 1) {
            result += "=\r\n";
            column = 0;
        }
        if (literal) {
            result += c;
        } else {
            result += '=';
            result += digits[byte >> 4U];
            result += digits[byte & 15U];
        }
        column += width;
    }
    return result;
}

std::string base64(std::string_view bytes) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = (group << 8U) |
                    (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        }
        for (unsigned k = 0; k < 4; ++k) {
            text += i + k > bytes.size() ? '=' : alphabet[(group >> (18U - 6U * k)) & 63U];
        }
    }
    return text;
}

std::string base64_lines(std::string_view bytes) {
    auto const text = base64(bytes);
    std::string lines;
    for (std::size_t i = 0; i < text.size(); i += body_line_max) {
        lines.append(text, i, body_line_max).append("\r\n");
    }
    return lines;
}

}  // namespace millrace::mail
