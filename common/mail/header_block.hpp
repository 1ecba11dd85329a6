#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The header block of a message: bytes to fields and back to bytes. Nothing here copies a message.
namespace millrace::mail {

/// One header field as it stands in the message. `value` is every byte after the colon, without the
/// line end that closes the field: the leading blank is part of it, folds are `\n` + white space
/// (the milter's form; in a block with CRLF they are `\r\n` + white space).
struct HeaderField {
    std::string_view name;
    std::string_view value;
};

/// A header field that owns its bytes.
struct OwnedField {
    std::string name;
    std::string value;
};

/// What ends a line: CRLF on the wire and in the spool, LF in files that people keep.
enum class LineEnd { crlf, lf };

/// `\r\n` or `\n`.
std::string_view bytes_of(LineEnd line_end);

/// CRLF if the first line of the text ends with it, else LF.
LineEnd detect_line_end(std::string_view text);

/// A stretch of the message, in bytes from its start.
struct Extent {
    std::size_t offset = 0;
    std::size_t size = 0;
    bool operator==(const Extent&) const = default;
};

struct HeaderDefect {
    enum class Kind {
        no_colon,     ///< a line that is no field, no fold and not empty: the body starts with it
        stray_fold,   ///< the block starts with a fold: the body starts with it
        name_8bit,    ///< a byte over 126 in a field name: the body starts with that line
        mbox_line,    ///< `From …` as the first line; it belongs to no field and is skipped
        bare_cr,      ///< a CR that is not part of a CRLF
        bare_lf,      ///< in a block with CRLF: a LF without its CR. It is data, it ends no line
        nul,          ///< a zero byte
        no_separator  ///< no empty line ends the block, and the message ends with it
    };
    Kind kind;
    std::size_t offset;  ///< where in the message
    bool operator==(const HeaderDefect&) const = default;
};

/// What a header block consists of. All views point into the parsed message.
struct HeaderBlock {
    std::vector<HeaderField> fields;  ///< in order; names without blanks around them
    std::vector<Extent>
        extents;                 ///< extents[i]: all of fields[i], with the line end that closes it
    std::size_t fields_end = 0;  ///< where a further field can be put in: after the last field
    std::size_t body_offset = 0;        ///< first byte of the body, after the empty line
    bool separator = false;             ///< an empty line stands between fields_end and body_offset
    std::vector<HeaderDefect> defects;  ///< at most one of each kind: the first
};

/// Cuts the header block off a message (or a message's beginning that holds all of it). Only
/// `line_end` ends a line. Total: every input gives a block; linear in the length of the block.
/// `Subject : x` (RFC 5322 §4.5.3) is a field named `Subject`.
HeaderBlock parse_header_block(std::string_view message, LineEnd line_end);

/// Removes the line end (LF or CRLF) of every fold and nothing else (RFC 5322 §2.2.3).
std::string unfold(std::string_view value);

/// Without SP, HTAB, CR and LF at both ends.
std::string_view trim(std::string_view text);

/// Whether two field names are the same (ASCII, any case).
bool same_name(std::string_view a, std::string_view b);

/// The first field of that name, or nullptr; and how many there are.
const HeaderField* find_field(std::span<const HeaderField> fields, std::string_view name);
std::size_t count_fields(std::span<const HeaderField> fields, std::string_view name);

}  // namespace millrace::mail
