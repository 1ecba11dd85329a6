#pragma once

#include <string>
#include <string_view>
#include <vector>

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

}  // namespace millrace::mail
