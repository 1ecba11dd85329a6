#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::mail {

/// A date-time of RFC 5322 §3.3 with the obsolete forms of §4.3 (two- and three-digit years, zone
/// names, comments, blanks anywhere): seconds since 1970 UTC. No value when it is none or names an
/// impossible day or time; 23:59:60 is taken for the next second. A wrong day of the week is
/// forgiven. Folds allowed.
std::optional<std::int64_t> parse_date(std::string_view value);

}  // namespace millrace::mail
