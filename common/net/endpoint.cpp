#include "common/net/endpoint.hpp"

#include <array>
#include <charconv>
#include <span>

namespace millrace {
namespace {

namespace ip = boost::asio::ip;

/// IPv4-mapped addresses are IPv4 on the wire; everything below asks about the real thing.
Address unmapped(const Address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return ip::make_address_v4(ip::v4_mapped, address.to_v6());
    }
    return address;
}

template <class Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, unsigned bits) {
    const std::size_t whole = bits / 8;
    if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) {
        return false;
    }
    const unsigned rest = bits % 8;
    return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

template <class Bytes>
bool host_bits_are_zero(const Bytes& bytes, unsigned prefix) {
    for (unsigned bit = prefix; bit < bytes.size() * 8; ++bit) {
        if ((bytes[bit / 8] >> (7 - bit % 8)) & 1) return false;
    }
    return true;
}

std::optional<unsigned> number(std::string_view text, unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most) return {};
    return value;
}

Result<Address> parse_address(std::string_view text) {
    boost::system::error_code error;
    // A scope (`fe80::1%eth0`) would be accepted by Asio; no setting of ours means one.
    const Address address = ip::make_address(std::string(text), error);
    if (error || text.contains('%')) {
        return failure(Fault::invalid, "`" + std::string(text) + "` is not an IP address");
    }
    return address;
}

Network4or6 range(const char* base, unsigned prefix) {
    return {ip::make_address(base), prefix};
}

bool is_private_v4(ip::address_v4 address) {
    struct Range {
        std::uint32_t base;
        unsigned prefix;
    };
    // The IANA special-purpose registry without the documentation ranges, which lead nowhere.
    static constexpr std::array ranges{
        Range{0x00000000, 8},   // "this network"; 0.0.0.0 reaches the machine itself on Linux
        Range{0x0a000000, 8},   // private
        Range{0x64400000, 10},  // carrier-grade NAT
        Range{0x7f000000, 8},   // loopback
        Range{0xa9fe0000, 16},  // link-local, with the clouds' metadata services
        Range{0xac100000, 12},  // private
        Range{0xc0000000, 24},  // IETF protocol assignments
        Range{0xc0a80000, 16},  // private
        Range{0xc6120000, 15},  // benchmarking
        Range{0xe0000000, 4},   // multicast
        Range{0xf0000000, 4},   // reserved, broadcast
    };
    const std::uint32_t value = address.to_uint();
    for (const Range& r : ranges) {
        if ((value >> (32 - r.prefix)) == (r.base >> (32 - r.prefix))) return true;
    }
    return false;
}

ip::address_v4 embedded_v4(std::span<const unsigned char> bytes) {
    return ip::address_v4(ip::address_v4::bytes_type{bytes[0], bytes[1], bytes[2], bytes[3]});
}

bool is_private_v6(const ip::address_v6& address) {
    static const std::array ranges{
        range("100::", 64),        // discard
        range("64:ff9b:1::", 48),  // NAT64 for local use
        range("fc00::", 7),        // unique-local
        range("fe80::", 10),       // link-local
        range("fec0::", 10),       // site-local, deprecated and still routed inside
        range("ff00::", 8),        // multicast
    };
    const auto bytes = address.to_bytes();
    for (const Network4or6& r : ranges) {
        if (same_prefix(r.base.to_v6().to_bytes(), bytes, r.prefix)) return true;
    }
    static const auto nat64 = ip::make_address_v6("64:ff9b::").to_bytes();
    static const auto compatible = ip::make_address_v6("::").to_bytes();  // also ::, ::1
    if (same_prefix(bytes, nat64, 96) || same_prefix(bytes, compatible, 96)) {
        return is_private_v4(embedded_v4(std::span(bytes).subspan<12>()));
    }
    static const auto six_to_four = ip::make_address_v6("2002::").to_bytes();
    if (same_prefix(bytes, six_to_four, 16)) {
        return is_private_v4(embedded_v4(std::span(bytes).subspan<2, 4>()));
    }
    return false;
}

}  // namespace

std::string Endpoint::text() const {
    const std::string host = address.to_string();
    return (address.is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> Endpoint::parse(std::string_view text, std::uint16_t default_port) {
    std::string_view host = text;
    std::optional<std::string_view> port;
    if (text.starts_with('[')) {
        const auto bracket = text.find(']');
        if (bracket == text.npos) {
            return failure(Fault::invalid, "`" + std::string(text) + "` has no closing `]`");
        }
        host = text.substr(1, bracket - 1);
        const auto rest = text.substr(bracket + 1);
        if (rest.starts_with(':')) {
            port = rest.substr(1);
        } else if (!rest.empty()) {
            return failure(Fault::invalid, "`" + std::string(text) + "` is not `[address]:port`");
        }
    } else if (const auto colon = text.find(':');
               colon != text.npos && text.find(':', colon + 1) == text.npos) {
        host = text.substr(0, colon);  // one colon: IPv4 and a port; several: a bare IPv6 address
        port = text.substr(colon + 1);
    }
    const auto address = parse_address(host);
    if (!address) return std::unexpected(address.error());
    if (!port) {
        if (default_port == 0) {
            return failure(Fault::invalid, "`" + std::string(text) + "` lacks a port");
        }
        return Endpoint{*address, default_port};
    }
    const auto value = number(*port, 65535);
    if (!value || *value == 0) {
        return failure(Fault::invalid, "`" + std::string(*port) + "` is not a port");
    }
    return Endpoint{*address, static_cast<std::uint16_t>(*value)};
}

bool Network4or6::contains(const Address& other) const {
    const Address address = unmapped(other);
    if (address.is_v4() != base.is_v4()) return false;
    if (base.is_v4())
        return same_prefix(base.to_v4().to_bytes(), address.to_v4().to_bytes(), prefix);
    return same_prefix(base.to_v6().to_bytes(), address.to_v6().to_bytes(), prefix);
}

Result<Network4or6> Network4or6::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return std::unexpected(address.error());
    Network4or6 network{*address, address->is_v4() ? 32u : 128u};
    if (slash != text.npos) {
        const auto prefix = number(text.substr(slash + 1), network.prefix);
        if (!prefix) {
            return failure(Fault::invalid,
                           "`" + std::string(text) + "`: the prefix is a number from 0 to " +
                               std::to_string(network.prefix));
        }
        network.prefix = *prefix;
    }
    const bool clean = address->is_v4()
                           ? host_bits_are_zero(address->to_v4().to_bytes(), network.prefix)
                           : host_bits_are_zero(address->to_v6().to_bytes(), network.prefix);
    if (!clean) {  // a typing error more often than not, and one that opens doors
        return failure(Fault::invalid,
                       "`" + std::string(text) + "`: address bits are set behind the prefix");
    }
    if (network.base.is_v6() && network.base.to_v6().is_v4_mapped() && network.prefix >= 96) {
        return Network4or6{unmapped(network.base), network.prefix - 96};
    }
    return network;
}

bool is_private(const Address& address) {
    const Address real = unmapped(address);
    return real.is_v4() ? is_private_v4(real.to_v4()) : is_private_v6(real.to_v6());
}

}  // namespace millrace
