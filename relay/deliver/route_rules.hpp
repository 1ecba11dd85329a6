#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/settings.hpp"
#include "relay/deliver/route.hpp"
#include "relay/deliver/sources.hpp"

namespace millrace::relay {

/// A configured route with its secret read.
struct RouteRule {
    config::Route route;
    Result<std::optional<Login>> login = std::optional<Login>();
};

/// The settings that decide over routes, ready to be asked. Immutable.
struct RouteRules {
    std::vector<RouteRule> rules;
    config::Delivery delivery;
    Sources sources;
    std::vector<Endpoint> own;

    /// Reads the password files. One that cannot be read makes its route temporarily unusable, not
    /// the others.
    static RouteRules from(const config::Settings& settings, std::vector<Endpoint> own);

    /// The route for a destination: its exact name, else the longest `.parent`, else `*`.
    const RouteRule* find(std::string_view destination) const;
};

/// The site's name with what differs from the default behind it.
std::string site_name(std::string base,
                      const config::Route* route,
                      const config::Delivery& delivery);

}  // namespace millrace::relay
