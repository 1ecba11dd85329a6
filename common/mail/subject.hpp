#pragma once

#include <cstdint>
#include <string>
#include <string_view>

/// Text in headers: what a reader should see, and the repair of what is not properly encoded. All
/// functions are total, linear in the length of the value and free of side effects.
namespace millrace::mail {

/// What raw or mislabelled bytes are taken for, in this order: UTF-8, the message's own charset,
/// the fallback.
struct TextOptions {
    std::string_view fallback_charset = "windows-1252";  ///< the operator's; a label
    std::string_view content_charset;  ///< of the top-level Content-Type; empty: none
};

/// What was wrong with a text; bits of TextDefects.
enum class TextDefect : std::uint16_t {
    raw_8bit = 1 << 0,          ///< bytes over 126 outside an encoded-word
    malformed_word = 1 << 1,    ///< an encoded-word with a fault, or glued to its neighbour
    long_word = 1 << 2,         ///< an encoded-word over 75 octets
    unknown_charset = 1 << 3,   ///< an encoded-word whose charset we do not know
    undecodable = 1 << 4,       ///< bytes that fit no charset: the reader sees U+FFFD
    charset_guess = 1 << 5,     ///< the fallback charset was used
    mislabel_suspect = 1 << 6,  ///< labelled ISO-8859-x, yet it is valid UTF-8; left as it is
    mislabelled = 1 << 7,       ///< decoded with another charset than the label says
    control = 1 << 8,           ///< control characters, raw or encoded
    long_line = 1 << 9,         ///< a physical line over 998 octets
    blank_fold = 1 << 10,       ///< a folded line of nothing but white space (RFC 5322 §4.2)
    bidi_override = 1 << 11,    ///< U+202A–202E, U+2066–2069: kept
};

/// A set of TextDefect.
struct TextDefects {
    std::uint16_t bits = 0;
    void add(TextDefect d) {
        bits = static_cast<std::uint16_t>(bits | static_cast<std::uint16_t>(d));
    }
    bool has(TextDefect d) const { return (bits & static_cast<std::uint16_t>(d)) != 0; }
    bool any() const { return bits != 0; }
    bool operator==(const TextDefects&) const = default;
};

/// `charset-guess`, `mislabel-suspect`, …: for logs and events.
std::string_view name_of(TextDefect defect);

struct Repair {
    bool changed = false;
    std::string value;  ///< when changed: leading blank, folds LF + SP, ASCII, no CR, no NUL; `" "`
                        ///< for an empty text. When not: empty
    TextDefects defects;  ///< also when nothing changed
};

/// Repairs the value of an unstructured field (RFC 5322 §3.2.5; RFC 2047 §5(1)). A value that is
/// right already is not touched. Else it is decoded once as good readers do, cleaned of control
/// characters, and written as UTF-8 encoded-words of at most 75 octets, lines of at most 76 with
/// `field_name` counted in the first. Takes folds with LF and with CRLF.
/// repair(repair(x)) == repair(x).
Repair repair_unstructured(std::string_view value,
                           std::string_view field_name,
                           const TextOptions& options = {});

/// The same for an address field: mends display names, group names and comments (RFC 2047 §5(2),
/// §5(3)), unquoting them first; no byte of an addr-spec changes. A field in which quotes or
/// brackets are unbalanced is written anew from what lenient reading finds; one in which it finds
/// no address is not touched.
Repair repair_addresses(std::string_view value,
                        std::string_view field_name,
                        const TextOptions& options = {});

/// One display name (without quotes, as parsed) as it may stand in an address field: itself when
/// atoms are enough, a quoted-string, or encoded-words.
std::string print_phrase(std::string_view bytes, const TextOptions& options = {});

/// What a reader should see of an unstructured value or a display name: unfolded, trimmed, UTF-8,
/// encoded-words decoded, no control characters but HTAB.
std::string decode_text(std::string_view value, const TextOptions& options = {});

}  // namespace millrace::mail
