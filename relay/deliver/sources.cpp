#include "relay/deliver/sources.hpp"

#include <algorithm>

#include "relay/deliver/route.hpp"

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
        result.all_.push_back(
            {source.name.empty() ? source.address : source.name, address, source.hostname});
    }
    result.configured_ = !result.all_.empty();
    return result;
}

Sources Sources::of(const std::string& name) const {
    auto one = *this;
    if (std::ranges::find(all_, name, &Entry::name) == all_.end()) return one;
    std::erase_if(one.all_, [&](const Entry& entry) { return entry.name != name; });
    return one;
}

void Sources::leave_out(const Address& address) {
    std::erase_if(all_, [&](const Entry& entry) { return entry.address == address; });
}

const Sources::Entry* Sources::find(const Address& target) const {
    auto const at = std::ranges::find_if(all_, [&](const Entry& entry) {
        return is_v4(entry.address) == is_v4(target) &&
               (!is_loopback(target) || is_loopback(entry.address));
    });
    return at == all_.end() ? nullptr : &*at;
}

bool Sources::reach(const Address& target) const {
    return none() || is_loopback(target) || find(target) != nullptr;
}

SendingSource Sources::towards(const Address& target) const {
    auto const* const entry = find(target);
    if (entry == nullptr) return {};
    SendingSource sending{.address = entry->address, .hostname = entry->hostname};
    if (entry->address.is_unspecified()) sending.address.reset();
    return sending;
}

Families families_of(const Route& route) {
    Families there{.v4 = false, .v6 = false, .loopback = false};
    for (auto const& group : route.groups) {
        for (auto const& host : group) {
            for (auto const& address : host.addresses) {
                (is_v4(address) ? there.v4 : there.v6) = true;
                there.loopback = there.loopback || is_loopback(address);
            }
        }
    }
    return there;
}

}  // namespace millrace::relay
