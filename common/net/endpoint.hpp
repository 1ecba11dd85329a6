#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "common/base/result.hpp"

namespace millrace {

using Address = boost::asio::ip::address;

/// An IP address and a TCP port.
struct Endpoint {
    Address address;
    std::uint16_t port = 0;
    bool operator==(const Endpoint&) const = default;
    bool operator<(const Endpoint& other) const {
        return address != other.address ? address < other.address : port < other.port;
    }
    /// `192.0.2.1:25`, `[2001:db8::1]:25`.
    std::string text() const;
    /// Reads `192.0.2.1:25`, `[2001:db8::1]:25` and, with a default port, addresses without one
    /// (`2001:db8::1`, `[2001:db8::1]`). default_port 0: a port is required.
    static Result<Endpoint> parse(std::string_view text, std::uint16_t default_port);
};

/// An address range such as `127.0.0.0/8` or `::1/128`; a plain address is a range of one.
struct Network4or6 {
    Address base;
    unsigned prefix = 0;
    /// An IPv4-mapped IPv6 address counts as its IPv4 address.
    bool contains(const Address& address) const;
    static Result<Network4or6> parse(std::string_view text);
    bool operator==(const Network4or6&) const = default;
};

/// Loopback, private, link-local, unspecified, multicast, unique-local, NAT64 and IPv4-mapped forms
/// of them: where a stranger's MX record must not send us (`reliability`: U1).
bool is_private(const Address& address);

}  // namespace millrace
