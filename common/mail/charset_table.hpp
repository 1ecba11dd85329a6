#pragma once

#include <string_view>

/// Which converter a charset label means (the WHATWG Encoding table, and what older mail adds).
namespace millrace::mail {

/// What must hold for bytes to be in the charset that the label names, and not only in the superset
/// that decodes them.
enum class Repertoire {
    all,         ///< the decoder is no wider than the label
    seven_bit,   ///< us-ascii
    latin,       ///< ISO-8859-x: 80–9F are controls; decoded as such they are no text
    windows,     ///< windows-125x and its like: undefined bytes are errors, not C1 controls
    gb2312,      ///< both bytes A1–FE; decoded with GB 18030
    gbk,         ///< no four-byte forms; decoded with GB 18030
    shift_jis,   ///< JIS X 0208 without the vendors' rows; decoded with windows-31j
    euc_kr,      ///< both bytes A1–FE; decoded with windows-949
    big5,        ///< lead bytes A1–F9; decoded with Big5-HKSCS
    iso2022_jp,  ///< ends in ASCII; decoded by way of windows-31j
    stateful,    ///< other 7-bit charsets with shift states, UTF-7 and UTF-16: no raw header text
};

struct Charset {
    std::string_view name;  ///< canonical, lower-case
    const char* converter;  ///< ICU's name; nullptr: ours
    Repertoire repertoire;
};

/// The charset a label names; nullptr when unknown. Case, punctuation and a `*language` suffix do
/// not matter.
const Charset* find_charset(std::string_view label);

}  // namespace millrace::mail
