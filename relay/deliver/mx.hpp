#pragma once

#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/net/resolver.hpp"
#include "relay/deliver/route.hpp"
#include "relay/deliver/sources.hpp"

/// From DNS answers to a route: pure.
namespace millrace::relay {

/// At most this many hosts of an MX set are looked at, the best ones.
constexpr std::size_t mx_hosts_max = 20;

/// An MX set brought into order.
struct MxSet {
    bool null = false;  ///< the domain takes no mail (RFC 7505): the null MX stands alone
    std::string site;   ///< the hosts, sorted and joined by `,`: equal sets give equal names
    std::vector<std::vector<std::string>> groups;  ///< by preference, best first, sorted within
    bool operator==(const MxSet&) const = default;
};

/// A host that is listed twice counts where it is listed better. A null MX beside others is ignored
/// (RFC 7505 §3). `records` is not empty.
MxSet arrange(std::span<const MxRecord> records);

/// What was found out about one host of a set.
struct Lookup {
    std::string name;
    DnsStatus status = DnsStatus::temporary;
    std::vector<Address> addresses;
    std::string detail;  ///< of temporary
};

/// What an address must be like to be used.
struct Admission {
    std::uint16_t port = 25;
    bool private_addresses = false;
    bool ipv6 = false;              ///< counts when there are no sources
    std::span<const Endpoint> own;  ///< listeners of ours
    Sources sources = {};

    bool reaches(const Address& address) const {
        return sources.none() ? address.is_v4() || ipv6 : sources.reach(address);
    }
};

using Admitted = std::variant<std::vector<std::vector<Host>>, Undeliverable, Unknown>;

/// Which hosts may be used, in order: when one of them is ourselves, it and everything of its
/// preference and behind is dropped (RFC 5321 §5.1); private addresses and families that we do not
/// send from go.
/// Nothing left: 5.4.6 when we are the best MX, 5.4.4 when nothing usable is there, and Unknown as
/// long as a look-up that failed for the moment might still bring something.
Admitted admit(std::span<const std::vector<Lookup>> groups, const Admission& admission);

/// Whether that is a listener of ours. A listener on an unspecified address counts for every
/// loopback address.
bool is_ourselves(const Endpoint& endpoint, std::span<const Endpoint> own);

}  // namespace millrace::relay
