#pragma once

#include <map>
#include <string>

#include "common/net/resolver.hpp"

namespace millrace::relay {

/// Names of one address that are looked at; who has more has trouble of another kind.
constexpr std::size_t reverse_names_max = 5;

/// Whether one of our addresses has a name that leads back to it, as far as it is known. Large
/// receivers refuse mail from IPv6 addresses that have none.
struct ReverseName {
    bool known = false;  ///< some look-up has come through
    bool confirmed = false;
    std::string name;  ///< that leads back
    std::string why;   ///< while it is not confirmed, one clause: `2001:db8::1 has no reverse name`
    Time again{};      ///< look it up then
};

/// What an answer changes: `pointers` to the names of `address`, `forward` the addresses of each of
/// them, as far as they were asked. A look-up that fails for the moment leaves what was known.
/// Pure.
ReverseName confirm(ReverseName before,
                    const Address& address,
                    const DnsAnswer<std::string>& pointers,
                    const std::map<std::string, DnsAnswer<Address>>& forward,
                    Time now);

}  // namespace millrace::relay
