#include "relay/deliver/route_rules.hpp"

#include <fstream>

namespace millrace::relay {

namespace {

Result<std::optional<Login>> read_login(const config::Route& route) {
    if (route.user.empty()) return std::optional<Login>();
    std::ifstream file(route.password_file);
    std::string password;
    if (!file || !std::getline(file, password)) {
        return failure(Fault::unavailable,
                       "relay.routes: cannot read the password of " + route.user + " from " +
                           route.password_file);
    }
    if (password.ends_with('\r')) password.pop_back();
    return Login{.user = route.user, .password = std::move(password)};
}

std::string_view name_of(config::TlsLevel level) {
    switch (level) {
        case config::TlsLevel::none:
            return "none";
        case config::TlsLevel::may:
            return "may";
        case config::TlsLevel::encrypt:
            return "encrypt";
        case config::TlsLevel::verify:
            return "verify";
    }
    return "may";
}

}  // namespace

RouteRules RouteRules::from(const config::Settings& settings, std::vector<Endpoint> own) {
    RouteRules result;
    result.delivery = settings.relay.delivery;
    result.sources = Sources::from(settings.relay);
    result.own = std::move(own);
    for (const auto& route : settings.relay.routes) {
        result.rules.push_back({.route = route, .login = read_login(route)});
    }
    // Behind the operator's own, which win where both name a domain.
    const config::Attached& mta = settings.relay.attached;
    for (const auto& domain : mta.domains) {
        result.rules.push_back({.route = {.domain = domain,
                                          .host = mta.address,
                                          .port = mta.port,
                                          .tls = config::TlsLevel::none,
                                          .user = {},
                                          .password_file = {}}});
    }
    return result;
}

const RouteRule* RouteRules::find(std::string_view destination) const {
    const RouteRule* best = nullptr;
    std::size_t best_size = 0;
    for (const auto& rule : rules) {
        const std::string& domain = rule.route.domain;
        std::size_t size = 0;
        if (domain == destination) {
            size = 1000;  // longer than any parent
        } else if (domain.starts_with('.') && destination.ends_with(domain)) {
            size = 1 + domain.size();
        } else if (domain == "*") {
            size = 1;
        }
        if (size > best_size) {
            best = &rule;
            best_size = size;
        }
    }
    return best;
}

std::string site_name(std::string base,
                      const config::Route* route,
                      const config::Delivery& delivery) {
    if (route == nullptr) return base;
    // A route to a host has its port in its name already.
    if (route->host.empty() && route->port != 25 && route->port != delivery.port) {
        base += ";port=" + std::to_string(route->port);
    }
    if (route->tls != delivery.tls) base.append(";tls=").append(name_of(route->tls));
    if (!route->user.empty()) base += ";user=" + route->user;
    return base;
}

}  // namespace millrace::relay
