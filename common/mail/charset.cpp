#include "common/mail/charset.hpp"

#include <memory>
#include <unicode/ucnv.h>
#include <unicode/ucnv_err.h>
#include <unicode/ustring.h>

#include "common/mail/charset_table.hpp"
#include "common/mail/iso2022_jp.hpp"
#include "common/mail/utf8.hpp"

namespace millrace::mail {
namespace {

struct CloseConverter {
    void operator()(UConverter* c) const { ucnv_close(c); }
};

unsigned char byte(std::string_view text, std::size_t i) {
    return static_cast<unsigned char>(text[i]);
}

bool in(unsigned char c, unsigned low, unsigned high) {
    return c >= low && c <= high;
}

// Two-byte text in which a lead byte over 80 takes one more byte; `fits(lead, trail)` for each
// pair.
template <class Fits>
bool pairs_fit(std::string_view bytes, Fits fits) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (byte(bytes, i) < 0x80) continue;
        if (i + 1 == bytes.size() || !fits(byte(bytes, i), byte(bytes, i + 1))) return false;
        ++i;
    }
    return true;
}

bool fits_shift_jis(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const unsigned char c = byte(bytes, i);
        if (c < 0x80 || in(c, 0xA1, 0xDF)) continue;  // ASCII, half-width katakana
        const bool lead = in(c, 0x81, 0x84) || in(c, 0x88, 0x9F) || in(c, 0xE0, 0xEA);
        if (!lead || i + 1 == bytes.size()) return false;
        if (c == 0x88 && byte(bytes, i + 1) < 0x9F) return false;  // row 15 is empty
        ++i;
    }
    return true;
}

// Whether the bytes keep to what the label promises; that they decode at all is checked elsewhere.
bool keeps_to(Repertoire repertoire, std::string_view bytes) {
    switch (repertoire) {
        case Repertoire::all:
        case Repertoire::windows:
        case Repertoire::stateful:
            return true;
        case Repertoire::seven_bit:
            return is_ascii(bytes);
        case Repertoire::latin:
            for (std::size_t i = 0; i < bytes.size(); ++i)
                if (in(byte(bytes, i), 0x80, 0x9F)) return false;
            return true;
        case Repertoire::gb2312:
        case Repertoire::euc_kr:
            return pairs_fit(bytes, [](unsigned char a, unsigned char b) {
                return in(a, 0xA1, 0xFE) && in(b, 0xA1, 0xFE);
            });
        case Repertoire::gbk:
            return pairs_fit(bytes, [](unsigned char, unsigned char b) { return b >= 0x40; });
        case Repertoire::big5:
            return pairs_fit(bytes,
                             [](unsigned char a, unsigned char) { return in(a, 0xA1, 0xF9); });
        case Repertoire::shift_jis:
            return fits_shift_jis(bytes);
        case Repertoire::iso2022_jp:
            return ends_in_ascii(bytes);
    }
    return false;
}

// 80–9F of a one-byte charset that has nothing there come out of ICU as C1 controls.
bool has_c1(std::string_view utf8) {
    for (std::size_t i = 0; i + 1 < utf8.size(); ++i)
        if (byte(utf8, i) == 0xC2 && byte(utf8, i + 1) < 0xA0) return true;
    return false;
}

std::string c1_replaced(std::string_view utf8) {
    std::string out;
    out.reserve(utf8.size());
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        if (byte(utf8, i) == 0xC2 && i + 1 < utf8.size() && byte(utf8, i + 1) < 0xA0) {
            append_utf8(out, replacement);
            ++i;
        } else {
            out += utf8[i];
        }
    }
    return out;
}

std::optional<std::string> convert(std::string_view bytes, const char* name, bool lossy) {
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<UConverter, CloseConverter> converter(ucnv_open(name, &status));
    if (U_FAILURE(status)) return std::nullopt;
    ucnv_setToUCallBack(converter.get(),
                        lossy ? UCNV_TO_U_CALLBACK_SUBSTITUTE : UCNV_TO_U_CALLBACK_STOP,
                        nullptr,
                        nullptr,
                        nullptr,
                        &status);
    std::string out;
    out.reserve(bytes.size() * 2);
    const char* source = bytes.data();
    const char* const end = source + bytes.size();
    UChar buffer[512];
    do {
        status = U_ZERO_ERROR;
        UChar* target = buffer;
        ucnv_toUnicode(
            converter.get(), &target, std::end(buffer), &source, end, nullptr, true, &status);
        if (U_FAILURE(status) && status != U_BUFFER_OVERFLOW_ERROR) return std::nullopt;
        for (const UChar* p = buffer; p != target; ++p) {
            char32_t c = *p;
            if (c >= 0xD800 && c <= 0xDBFF && p + 1 != target)
                c = 0x10000 + ((c - 0xD800) << 10U) + (*++p - 0xDC00U);
            append_utf8(out, c >= 0xD800 && c <= 0xDFFF ? replacement : c);
        }
    } while (status == U_BUFFER_OVERFLOW_ERROR);
    return out;
}

std::optional<std::string> decode_with(const Charset& charset, std::string_view bytes, bool lossy) {
    constexpr const char* windows_31j = "ibm-943_P15A-2003";
    std::optional<std::string> text;
    if (charset.repertoire == Repertoire::iso2022_jp) {
        std::string shifted;
        if (iso2022_jp_to_shift_jis(bytes, shifted))
            text = convert(shifted, windows_31j, lossy);
        else
            text = convert(bytes, "ISO-2022-JP-2", lossy);
    } else {
        text =
            convert(bytes, charset.converter != nullptr ? charset.converter : windows_31j, lossy);
    }
    const bool one_byte = charset.repertoire == Repertoire::windows ||
                          charset.repertoire == Repertoire::latin ||
                          charset.repertoire == Repertoire::seven_bit;
    if (text && one_byte && has_c1(*text)) {
        if (!lossy) return std::nullopt;
        text = c1_replaced(*text);
    }
    return text;
}

}  // namespace

bool is_known_charset(std::string_view label) {
    return find_charset(label) != nullptr;
}

std::string_view canonical_charset(std::string_view label) {
    const Charset* charset = find_charset(label);
    return charset != nullptr ? charset->name : std::string_view{};
}

bool is_ascii(std::string_view bytes) {
    for (const char c : bytes)
        if (static_cast<unsigned char>(c) > 127) return false;
    return true;
}

bool is_utf8(std::string_view bytes) {
    while (!bytes.empty()) {
        const std::size_t n = utf8_sequence(bytes);
        if (n == 0) return false;
        bytes.remove_prefix(n);
    }
    return true;
}

std::optional<std::string> decode_charset(std::string_view bytes,
                                          std::string_view label,
                                          Width width) {
    const Charset* charset = find_charset(label);
    if (charset == nullptr) return std::nullopt;
    if (width == Width::exact && !keeps_to(charset->repertoire, bytes)) return std::nullopt;
    if (charset->name == "utf-8") {
        if (!is_utf8(bytes)) return std::nullopt;
        return std::string(bytes);
    }
    return decode_with(*charset, bytes, false);
}

std::string decode_charset_lossy(std::string_view bytes, std::string_view label) {
    const Charset* charset = find_charset(label);
    if (charset == nullptr) charset = find_charset("windows-1252");
    if (charset->name == "utf-8") return replace_invalid_utf8(bytes);
    return decode_with(*charset, bytes, true).value_or(replace_invalid_utf8(bytes));
}

std::string replace_invalid_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        std::size_t n = utf8_sequence(bytes);
        if (n != 0) {
            out += bytes.substr(0, n);
        } else {
            append_utf8(out, replacement);
            // One mark for a sequence that was cut short, as in the Unicode standard §3.9.
            n = 1;
            while (n < 4 && n < bytes.size() && is_truncated_utf8(bytes.substr(0, n + 1)))
                ++n;
        }
        bytes.remove_prefix(n);
    }
    return out;
}

}  // namespace millrace::mail
