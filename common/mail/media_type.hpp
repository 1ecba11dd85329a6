#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::mail {

/// The value of a Content-Type field (RFC 2045 §5.1).
struct MediaType {
    std::string type;     ///< lower-case
    std::string subtype;  ///< lower-case
    /// Names lower-case, values unquoted; RFC 2231 pieces joined and decoded to UTF-8. In order,
    /// the first of a name counts.
    std::vector<std::pair<std::string, std::string>> parameters;

    /// The parameter's value, or empty.
    std::string_view parameter(std::string_view name) const;
};

/// No value when not even `type/subtype` can be made out; what is wrong behind that is skipped.
std::optional<MediaType> parse_media_type(std::string_view value);

/// The charset parameter of a Content-Type value, as written; empty when there is none.
std::string charset_of(std::string_view content_type);

}  // namespace millrace::mail
