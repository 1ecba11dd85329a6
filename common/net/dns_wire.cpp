#include "common/net/dns_wire.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace millrace {
namespace {

void append_label_byte(std::string& name, char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 'A' && byte <= 'Z') {
        name += static_cast<char>(byte - 'A' + 'a');
    } else if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
               byte == '_') {
        name += c;
    } else {
        name += fmt::format("\\{:03}", byte);
    }
}

}  // namespace

std::optional<std::string> read_dns_name(std::string_view rdata) {
    std::string name;
    if (rdata.size() > 255) return {};
    while (!rdata.empty()) {
        const auto length = static_cast<unsigned char>(rdata.front());
        rdata.remove_prefix(1);
        if (length == 0) return rdata.empty() ? std::optional(name) : std::nullopt;
        if (length > 63 || length >= rdata.size()) return {};  // the root must still follow
        if (!name.empty()) name += '.';
        for (const char c : rdata.substr(0, length))
            append_label_byte(name, c);
        rdata.remove_prefix(length);
    }
    return {};
}

std::optional<MxRecord> read_mx(std::string_view rdata) {
    if (rdata.size() < 3) return {};
    auto host = read_dns_name(rdata.substr(2));
    if (!host) return {};
    const unsigned preference =
        static_cast<unsigned char>(rdata[0]) * 256U + static_cast<unsigned char>(rdata[1]);
    return MxRecord{static_cast<std::uint16_t>(preference), std::move(*host)};
}

std::optional<Address> read_address(std::string_view rdata) {
    if (rdata.size() == 4) {
        boost::asio::ip::address_v4::bytes_type bytes;
        std::copy(rdata.begin(), rdata.end(), bytes.begin());
        return boost::asio::ip::address_v4(bytes);
    }
    if (rdata.size() == 16) {
        boost::asio::ip::address_v6::bytes_type bytes;
        std::copy(rdata.begin(), rdata.end(), bytes.begin());
        return boost::asio::ip::address_v6(bytes);
    }
    return {};
}

std::string reverse_name(const Address& address) {
    std::string name;
    if (address.is_v4()) {
        auto const bytes = address.to_v4().to_bytes();
        for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
            name += fmt::format("{}.", *byte);
        return name + "in-addr.arpa";
    }
    auto const bytes = address.to_v6().to_bytes();
    for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte)
        name += fmt::format("{:x}.{:x}.", *byte & 15U, *byte >> 4U);
    return name + "ip6.arpa";
}

std::optional<std::string> read_txt(std::string_view rdata) {
    std::string text;
    if (rdata.empty()) return {};
    while (!rdata.empty()) {
        const auto length = static_cast<unsigned char>(rdata.front());
        rdata.remove_prefix(1);
        if (length > rdata.size()) return {};
        text += rdata.substr(0, length);
        rdata.remove_prefix(length);
    }
    return text;
}

}  // namespace millrace
