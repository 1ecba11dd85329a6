#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/settings.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/random.hpp"

namespace millrace::relay {

/// A receiving server with the addresses that may be used.
struct Host {
    std::string name;  ///< lower-case A-label; what TLS checks and the log shows
    std::vector<Address> addresses;
    std::uint16_t port = 25;
    bool operator==(const Host&) const = default;
};

/// What an upstream smart host wants to know of us; said over TLS only.
struct Login {
    std::string user;
    std::string password;
    bool operator==(const Login&) const = default;
};

/// Where the mail of a destination goes.
struct Route {
    /// Names the receiving server for lanes and learning: the MX hosts, sorted and joined by `,`;
    /// `host:port` of a configured route; an address literal as it is. A level of TLS, a port or a
    /// user that differs from the default stands behind it (`mx.example;tls=encrypt`), because
    /// connections of one site are interchangeable.
    std::string site;
    std::vector<std::vector<Host>> groups;  ///< by preference, best first; equals share a group
    config::TlsLevel tls = config::TlsLevel::may;
    std::optional<Login> login;
    Time valid_until{};  ///< the DNS's word, between a minute and an hour
    bool operator==(const Route&) const = default;
};

/// The destination will never take mail: bounce.
struct Undeliverable {
    unsigned code = 550;
    std::string enhanced;  ///< `5.1.2`
    std::string reason;    ///< one sentence for the sender
    bool operator==(const Undeliverable&) const = default;
};

/// Nobody knows at the moment (DNS trouble, a mistake in our configuration): try later, never
/// bounce.
struct Unknown {
    std::string enhanced = "4.4.3";
    std::string reason;
    bool operator==(const Unknown&) const = default;
};

using Routing = std::variant<Route, Undeliverable, Unknown>;

/// One address to be tried.
struct Target {
    std::string host;
    Endpoint endpoint;
    bool operator==(const Target&) const = default;
};

/// At most this many addresses are tried for one connection.
constexpr std::size_t targets_max = 10;

/// The addresses in the order of trying: by preference, hosts of one preference shuffled (RFC 5321
/// §5.1), the addresses of a host shuffled too; every host's first address before any host's
/// second one within a preference. At most targets_max, and then the last preference has at least
/// one of them.
std::vector<Target> order(const Route& route, Random& random);

}  // namespace millrace::relay
