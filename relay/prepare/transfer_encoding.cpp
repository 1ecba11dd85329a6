#include "relay/prepare/transfer_encoding.hpp"

#include <cstdint>

namespace millrace::relay {

namespace {

constexpr std::size_t column_max = 76;  // RFC 2045 §6.7(5), §6.8
constexpr std::string_view hex = "0123456789ABCDEF";
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
}

// One line of quoted-printable, tokens put together without ever growing over 76 columns.
class Line {
  public:
    explicit Line(std::string& out) : out_(out) {}

    void put(std::string_view token) {
        if (column_ + token.size() > column_max - 1) {
            out_ += "=\r\n";
            column_ = 0;
        }
        out_ += token;
        column_ += token.size();
    }
    void end() {
        out_ += "\r\n";
        column_ = 0;
    }

  private:
    std::string& out_;
    std::size_t column_ = 0;
};

void put_encoded(Line& line, char c) {
    const auto byte = static_cast<unsigned char>(c);
    const char token[] = {'=', hex[byte >> 4], hex[byte & 15]};
    line.put({token, sizeof token});
}

void encode_line(std::string_view text, Line& line) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const auto byte = static_cast<unsigned char>(c);
        const bool blank = c == ' ' || c == '\t';
        // Blanks at a line's end are lost on the way; `From ` and a lone dot are changed by some.
        const bool literal =
            blank ? i + 1 < text.size()
                  : byte > 0x20 && byte < 0x7f && c != '=' && !(i == 0 && (c == '.' || c == 'F'));
        if (literal) {
            line.put(text.substr(i, 1));
        } else {
            put_encoded(line, c);
        }
    }
}

}  // namespace

std::string quoted_printable(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 8);
    Line line(out);
    while (!text.empty()) {
        const std::size_t end = text.find("\r\n");
        encode_line(text.substr(0, end), line);
        if (end == std::string_view::npos) break;
        line.end();
        text.remove_prefix(end + 2);
    }
    return out;
}

std::string rewrap_quoted_printable(std::string_view encoded) {
    std::string out;
    out.reserve(encoded.size() + encoded.size() / 32);
    while (!encoded.empty()) {
        const std::size_t end = encoded.find("\r\n");
        const std::string_view text = encoded.substr(0, end);
        if (text.size() <= column_max) {
            out += text;
        } else {
            Line line(out);
            for (std::size_t i = 0; i < text.size();) {
                const bool token = text[i] == '=' && i + 2 < text.size() && is_hex(text[i + 1]) &&
                                   is_hex(text[i + 2]);
                const std::size_t size = token ? 3 : 1;
                line.put(text.substr(i, size));
                i += size;
            }
        }
        if (end == std::string_view::npos) break;
        out += "\r\n";
        encoded.remove_prefix(end + 2);
    }
    return out;
}

std::string base64(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size() / 3 * 4 + bytes.size() / 28 + 8);
    std::size_t column = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t size = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            const auto byte = k < size ? static_cast<unsigned char>(bytes[i + k]) : 0U;
            group = group << 8 | byte;
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= size ? alphabet[group >> (18 - 6 * k) & 63] : '=';
        }
        column += 4;
        if (column == column_max) {
            out += "\r\n";
            column = 0;
        }
    }
    if (column > 0) out += "\r\n";
    return out;
}

std::string rewrap_base64(std::string_view encoded) {
    std::string out;
    out.reserve(encoded.size() + encoded.size() / 38 + 2);
    std::size_t column = 0;
    for (const char c : encoded) {
        if (c != '=' && alphabet.find(c) == std::string_view::npos) continue;
        out += c;
        if (++column == column_max) {
            out += "\r\n";
            column = 0;
        }
    }
    if (column > 0) out += "\r\n";
    return out;
}

}  // namespace millrace::relay
