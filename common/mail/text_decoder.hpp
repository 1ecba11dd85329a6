#pragma once

#include <string>
#include <string_view>

#include "common/mail/subject.hpp"

/// From the bytes of a text to what a reader sees (milter.md's ladder of charsets). Inside the
/// room: others use subject.hpp.
namespace millrace::mail {

struct DecodedText {
    std::string text;  ///< UTF-8, not trimmed; HTAB is the only control
    TextDefects defects;
    bool right = true;  ///< the bytes are proper as they stand, but for the length of lines
};

/// Line ends turned into one form: a fold is `\n` + white space, any other CR or LF is a blank
/// (and a defect).
std::string normalise_folds(std::string_view value, DecodedText& result);

/// Decodes text with normalised folds, once.
void decode_folded(std::string_view text, const TextOptions& options, DecodedText& result);

/// The other blanks of Unicode (category Zs) as SP: they would not survive folding and searching.
std::string with_plain_blanks(std::string_view utf8);

/// Raw bytes by the ladder: UTF-8, ISO-2022-JP if it shifts, the message's charset, the fallback.
std::string decode_raw(std::string_view bytes, const TextOptions& options, TextDefects& defects);

}  // namespace millrace::mail
