#include "milter/rules.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

namespace millrace::milter {

bool Rules::trusts(std::string_view client) const {
    if (client.starts_with("IPv6:")) {
        client.remove_prefix(5);
    }
    boost::system::error_code error;
    const Address address = boost::asio::ip::make_address(client, error);
    return !error && std::ranges::any_of(trusted, [&](const Network4or6& network) {
        return network.contains(address);
    });
}

PinnedRules make_rules(const config::Settings& settings) {
    auto rules = std::make_shared<Rules>();
    rules->gate = settings.gate;
    rules->gate.field_size_max = block_max;
    rules->gate.block_size_max = block_max;
    rules->trusted = settings.milter.trusted;
    if (rules->trusted.empty()) {
        rules->trusted = {*Network4or6::parse("127.0.0.0/8"), *Network4or6::parse("::1/128")};
    }
    return rules;
}

}  // namespace millrace::milter
