#include "relay/deliver/sources.hpp"

namespace millrace::relay {

namespace {

/// Its family on the wire: an IPv4-mapped address is reached by IPv4.
bool is_v4(const Address& address) {
    return address.is_v4() || address.to_v6().is_v4_mapped();
}

bool is_loopback(const Address& address) {
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
            .is_loopback();
    }
    return address.is_loopback();
}

}  // namespace

Sources Sources::from(const config::Relay& settings) {
    Sources result;
    for (const auto& source : settings.sources) {
        boost::system::error_code bad;
        auto const address = boost::asio::ip::make_address(source.address, bad);
        if (bad) continue;
        SendingSource sending{.address = address, .hostname = source.hostname};
        if (address.is_unspecified()) sending.address.reset();
        (address.is_v4() ? result.v4_ : result.v6_) = std::move(sending);
    }
    return result;
}

bool Sources::reach(const Address& target) const {
    return none() || is_loopback(target) || (is_v4(target) ? v4_ : v6_).has_value();
}

SendingSource Sources::towards(const Address& target) const {
    auto const& source = is_v4(target) ? v4_ : v6_;
    if (!source || is_loopback(target)) return {};
    return *source;
}

}  // namespace millrace::relay
