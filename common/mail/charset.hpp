#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Charset labels as they stand in mail, and their bytes to UTF-8. ICU converts; which converter a
/// label means is our own table (the supersets that readers use: gb2312 is decoded as GB 18030).
namespace millrace::mail {

/// Whether a label (any case, `*language` suffix allowed) names a charset we can decode.
bool is_known_charset(std::string_view label);

/// The label brought to one spelling: `utf-8`, `iso-8859-1`, `gb2312`; empty when unknown.
std::string_view canonical_charset(std::string_view label);

/// Strict UTF-8 (RFC 3629): no overlong form, no surrogate, nothing over U+10FFFF.
bool is_utf8(std::string_view bytes);
bool is_ascii(std::string_view bytes);

/// All of `bytes` as UTF-8, or no value when the label is unknown or one byte does not fit.
/// `exact`: decode with the charset that the label names, not with the superset readers use.
enum class Width { superset, exact };
std::optional<std::string> decode_charset(std::string_view bytes,
                                          std::string_view label,
                                          Width width = Width::superset);

/// As decode_charset, but what does not fit becomes U+FFFD. An unknown label counts as
/// windows-1252. Total.
std::string decode_charset_lossy(std::string_view bytes, std::string_view label);

/// UTF-8 in which every byte that does not fit has become U+FFFD. Total.
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace millrace::mail
