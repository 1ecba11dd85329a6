#include "milter/rules.hpp"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

#include "common/mail/address.hpp"
#include "common/mail/domain.hpp"

namespace millrace::milter {

namespace {

bool is_among(std::string_view domain, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return pattern == "*" || domain == pattern ||
               (pattern.starts_with('.') && domain.ends_with(pattern));
    });
}

}  // namespace

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

bool Rules::covers(std::string_view sender, const std::map<std::string, unsigned>& to) const {
    const std::string_view domain = mail::domain_of(sender);
    const std::string from = mail::ascii_domain(domain).value_or(mail::lower(domain));
    return (only_from.empty() || is_among(from, only_from)) &&
           (only_to.empty() || (!to.empty() && std::ranges::all_of(to, [&](const auto& one) {
                return is_among(one.first, only_to);
            })));
}

bool Rules::leads_to_relay(std::string_view mailer) const {
    return std::ranges::find(handover_mailers, mailer) != handover_mailers.end();
}

PinnedRules make_rules(const config::Settings& settings) {
    auto rules = std::make_shared<Rules>();
    rules->gate = settings.gate;
    rules->gate.field_size_max = block_max;
    rules->gate.block_size_max = block_max;
    rules->trusted = settings.milter.trusted;
    rules->only_from = settings.milter.only_from;
    rules->only_to = settings.milter.only_to;
    rules->handover_secret = settings.milter.handover_secret;
    rules->handover_mailers = settings.milter.handover_mailers;
    if (rules->trusted.empty()) {
        rules->trusted = {*Network4or6::parse("127.0.0.0/8"), *Network4or6::parse("::1/128")};
    }
    return rules;
}

}  // namespace millrace::milter
