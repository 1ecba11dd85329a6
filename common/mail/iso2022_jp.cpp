#include "common/mail/iso2022_jp.hpp"

namespace millrace::mail {
namespace {

constexpr char escape = '\x1b';

enum class Shift { ascii, roman, katakana, kanji };

// Reads an escape sequence at text[0]; false when it is none of ours.
bool read_shift(std::string_view text, Shift& shift) {
    const std::string_view code = text.substr(0, 3);
    if (code == "\x1b(B")
        shift = Shift::ascii;
    else if (code == "\x1b(J")
        shift = Shift::roman;
    else if (code == "\x1b(I")
        shift = Shift::katakana;
    else if (code == "\x1b$B" || code == "\x1b$@")
        shift = Shift::kanji;
    else
        return false;
    return true;
}

bool is_jis(char c) {
    return c >= 0x21 && c <= 0x7E;
}

void append_pair(std::string& out, char first, char second) {
    const auto row = static_cast<unsigned>(first) - 0x20U;  // 1..94
    const auto cell = static_cast<unsigned>(second) - 0x20U;
    const unsigned lead = (row + 1) / 2 + (row <= 62 ? 0x80U : 0xC0U);
    const unsigned trail = row % 2 == 0 ? cell + 0x9EU : cell + (cell < 64 ? 0x3FU : 0x40U);
    out += static_cast<char>(lead);
    out += static_cast<char>(trail);
}

}  // namespace

bool iso2022_jp_to_shift_jis(std::string_view bytes, std::string& out) {
    Shift shift = Shift::ascii;
    out.clear();
    for (std::size_t i = 0; i < bytes.size();) {
        const char c = bytes[i];
        if (c == escape) {
            if (!read_shift(bytes.substr(i), shift)) return false;
            i += 3;
        } else if (static_cast<unsigned char>(c) > 127) {
            return false;
        } else if (c < 0x21 || shift == Shift::ascii || shift == Shift::roman) {
            out += c;
            ++i;
        } else if (shift == Shift::katakana) {
            if (c > 0x5F) return false;
            out += static_cast<char>(static_cast<unsigned>(c) + 0x80U);
            ++i;
        } else {
            if (i + 1 == bytes.size() || !is_jis(c) || !is_jis(bytes[i + 1])) return false;
            append_pair(out, c, bytes[i + 1]);
            i += 2;
        }
    }
    return true;
}

bool ends_in_ascii(std::string_view bytes) {
    const std::size_t last = bytes.rfind(escape);
    return last == std::string_view::npos || bytes.substr(last, 3) == "\x1b(B";
}

std::size_t jis_shift(std::string_view text) {
    if (text.starts_with("\x1b$B") || text.starts_with("\x1b$@")) return 3;
    return text.starts_with("\x1b$(D") ? 4 : 0;
}

std::size_t jis_run(std::string_view text) {
    for (std::size_t i = jis_shift(text); i < text.size(); ++i) {
        if (text[i] < 0x21 && text[i] != escape) return i;
        if (text.substr(i).starts_with("\x1b(B") || text.substr(i).starts_with("\x1b(J"))
            return i + 3;
    }
    return text.size();
}

}  // namespace millrace::mail
