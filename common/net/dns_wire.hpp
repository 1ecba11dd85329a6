#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/net/resolver.hpp"

namespace millrace {

// What stands inside DNS records (RFC 1035 §3.3), as a server sent it: empty results for bytes that
// are no such record.

/// An uncompressed name: lower case, without the last dot; bytes that no host name has as `\DDD`.
/// The root is the empty string.
std::optional<std::string> read_dns_name(std::string_view rdata);
std::optional<MxRecord> read_mx(std::string_view rdata);
/// A or AAAA, by length.
std::optional<Address> read_address(std::string_view rdata);
/// The character strings of a TXT record, joined without anything between (RFC 7208 §3.3).
std::optional<std::string> read_txt(std::string_view rdata);

/// Where the names of an address stand (RFC 1035 §3.5, RFC 3596 §2.5): `1.2.0.192.in-addr.arpa`.
std::string reverse_name(const Address& address);

}  // namespace millrace
