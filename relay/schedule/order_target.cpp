#include "relay/schedule/order_target.hpp"

#include <algorithm>
#include <vector>

#include <boost/asio/ip/address.hpp>

#include "common/config/nearest.hpp"
#include "common/mail/domain.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t name_max = 300;

constexpr std::pair<std::string_view, OrderAxis> words[] = {
    {"destination", OrderAxis::destination},
    {"site", OrderAxis::site},
    {"provider", OrderAxis::provider},
    {"source", OrderAxis::source},
    {"account", OrderAxis::account},
    {"from", OrderAxis::sender_domain},
    // What people coming from elsewhere say for the same.
    {"to", OrderAxis::destination},
    {"domain", OrderAxis::destination},
    {"mx", OrderAxis::site},
    {"ip", OrderAxis::source},
    {"tenant", OrderAxis::account},
    {"sender", OrderAxis::sender_domain},
};

std::string_view word_of(OrderAxis axis) {
    if (axis == OrderAxis::all) return "all";
    return std::ranges::find(words, axis, [](auto const& w) { return w.second; })->first;
}

std::string address_of(std::string_view text) {
    boost::system::error_code bad;
    auto const address = boost::asio::ip::make_address(std::string(text), bad);
    return bad ? std::string() : address.to_string();
}

std::unexpected<Failure> wrong(std::string_view text, std::string why) {
    return failure(Fault::invalid, std::string(text) + ": " + std::move(why));
}

Result<std::string> normalised(OrderAxis axis, std::string_view name) {
    switch (axis) {
        case OrderAxis::sender_domain:
            if (name == "<>") return std::string(name);
            [[fallthrough]];
        case OrderAxis::destination: {
            if (name.starts_with('@')) name.remove_prefix(1);
            if (name.find('@') != std::string_view::npos) {
                return failure(Fault::invalid,
                               "an order is for a whole domain; single addresses: millrace hold "
                               "--sender ADDRESS or --recipient ADDRESS");
            }
            auto domain = mail::ascii_domain(name);
            if (!domain) return failure(Fault::invalid, "this is no domain name");
            return domain;
        }
        case OrderAxis::source: {
            auto const address = address_of(name);
            return address.empty() ? std::string(name) : address;
        }
        case OrderAxis::site:
        case OrderAxis::provider:
            return mail::lower(name);
        default:
            return std::string(name);
    }
}

}  // namespace

Result<OrderTarget> OrderTarget::parse(std::string_view text) {
    if (text == "all") return OrderTarget{OrderAxis::all, {}};
    bool const odd =
        text.empty() || text.size() > name_max || std::ranges::any_of(text, [](char c) {
            return static_cast<unsigned char>(c) <= ' ' || c == '\x7F';
        });
    if (odd) {
        return failure(Fault::invalid,
                       "say what it is about: a domain, an IP address of ours, provider:NAME, "
                       "site:NAME, account:NAME, from:DOMAIN, or all");
    }
    if (auto const address = address_of(text); !address.empty()) {
        return OrderTarget{OrderAxis::source, address};
    }
    auto const colon = text.starts_with('[') ? std::string_view::npos : text.find(':');
    auto axis = OrderAxis::destination;
    auto name = text;
    if (colon != std::string_view::npos) {
        auto const word = text.substr(0, colon);
        auto const known = std::ranges::find(words, word, [](auto const& w) { return w.first; });
        if (known == std::end(words)) {
            std::vector<std::string> names;
            for (auto const& [one, meaning] : words)
                names.emplace_back(one);
            auto const meant = config::nearest(std::string(word), names);
            return wrong(text,
                         "there is no target " + std::string(word) + ":" +
                             (meant.empty() ? "" : ", did you mean " + meant + ":?"));
        }
        axis = known->second;
        name = text.substr(colon + 1);
    }
    if (name.empty()) return wrong(text, "the name is missing");
    auto normal = normalised(axis, name);
    if (!normal) return wrong(text, normal.error().detail);
    return OrderTarget{axis, std::move(*normal)};
}

std::string OrderTarget::text() const {
    if (axis == OrderAxis::all) return "all";
    return std::string(word_of(axis)) + ":" + name;
}

std::string OrderTarget::short_text() const {
    bool const plain =
        axis == OrderAxis::destination || (axis == OrderAxis::source && !address_of(name).empty());
    // A top-level domain alone would not be taken for one.
    return plain && looks_like_target(name) ? name : text();
}

bool looks_like_target(std::string_view word) {
    if (!address_of(word).empty()) return true;
    auto const colon = word.find(':');
    if (colon != std::string_view::npos && !word.starts_with('[')) {
        auto const known = word.substr(0, colon);
        return std::ranges::any_of(words, [&](auto const& w) { return w.first == known; });
    }
    return word.find('@') == std::string_view::npos && !word.starts_with('<') &&
           (word.find('.') != std::string_view::npos || word.starts_with('['));
}

}  // namespace millrace::relay
