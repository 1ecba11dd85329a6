#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace millrace::mail {

/// A domain as it is compared, looked up and stored: lower-case, U-labels to A-labels (UTS #46
/// non-transitional, STD 3 rules), one trailing dot cut off. An address literal comes back with its
/// letters lower-cased but for the tag `IPv6:`. Failure (invalid): not a domain name; labels of 1
/// to 63 octets, 253 in all.
Result<std::string> ascii_domain(std::string_view domain);

/// A-labels to U-labels, for people. What does not decode stays as it is.
std::string unicode_domain(std::string_view domain);

/// Letters, digits and inner hyphens, labels of 1 to 63 octets, 253 in all (RFC 1123 §2.1);
/// ASCII only, no trailing dot.
bool is_host_name(std::string_view domain);

/// `[192.0.2.1]`, `[IPv6:2001:db8::1]`: an address literal of RFC 5321 §4.1.3 with a valid address.
bool is_literal(std::string_view domain);
/// The address inside the literal's brackets, without `IPv6:`; empty when it is none.
std::string_view literal_address(std::string_view domain);

/// ASCII letters to lower case; other bytes stay.
std::string lower(std::string_view text);

}  // namespace millrace::mail
