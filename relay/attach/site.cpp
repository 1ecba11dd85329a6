#include "relay/attach/site.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <netdb.h>
#include <set>

#include "common/mail/domain.hpp"
#include "common/net/endpoint.hpp"

namespace millrace::attach {
namespace {

/// `smtp`, `25`, `127.0.0.1:10025`, `[::1]:25`: host (may be empty) and port.
struct Place {
    std::string host;
    std::uint16_t port = 0;
};

std::uint16_t port_of(const std::string& text) {
    std::uint16_t port = 0;
    auto const [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (fault == std::errc() && end == text.data() + text.size()) {
        return port;
    }
    if (auto const* const entry = ::getservbyname(text.c_str(), "tcp")) {
        return ntohs(static_cast<std::uint16_t>(entry->s_port));
    }
    // A minimal system has no /etc/services; Postfix itself asks for one only when it starts.
    constexpr std::pair<std::string_view, std::uint16_t> mail_ports[] = {
        {"smtp", 25}, {"smtps", 465}, {"submissions", 465}, {"submission", 587}};
    for (auto const& [name, number] : mail_ports) {
        if (name == text) {
            return number;
        }
    }
    return 0;
}

Place place_of(const std::string& name) {
    auto const colon = name.rfind(':');
    if (colon == std::string::npos) {
        return {{}, port_of(name)};
    }
    auto host = name.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    return {host, port_of(name.substr(colon + 1))};
}

bool is_address(const std::string& host) {
    boost::system::error_code error;
    boost::asio::ip::make_address(host, error);
    return !error;
}

bool is_loopback(const std::string& host) {
    boost::system::error_code error;
    auto const address = boost::asio::ip::make_address(host, error);
    return host == "localhost" || (!error && address.is_loopback());
}

bool is_table(const std::string& element) {
    return element.find(':') != std::string::npos || element.starts_with('/');
}

Door::Kind kind_of(const Place& place, const Service& service, bool logins) {
    if (place.port == 25 || service.type == "pass") {
        return Door::Kind::inbound;
    }
    bool const known = place.port == 587 || place.port == 465 || service.name == "submission" ||
                       service.name == "submissions" || service.name == "smtps";
    if (known || (logins && service.options.contains("smtpd_sasl_auth_enable"))) {
        return Door::Kind::submission;
    }
    return is_loopback(place.host) && service.options.contains("content_filter")
               ? Door::Kind::reinjection
               : Door::Kind::inbound;
}

void add(Listed& listed, const Postfix& postfix, const std::string& element, bool networks) {
    if (element.starts_with('!')) {
        (networks ? listed.items : listed.opaque).push_back(element);
        return;
    }
    auto const table = postfix.tables.find(element);
    if (table != postfix.tables.end()) {
        for (auto const& key : table->second) {
            // Keys with an @ are mailboxes: aliases of a domain, no domain.
            if (key.find('@') == std::string::npos && (networks || key.find('.') != key.npos)) {
                listed.items.push_back(mail::lower(key));
            }
        }
        return;
    }
    if (!networks && is_table(element)) {
        listed.opaque.push_back(element);
        return;
    }
    listed.items.push_back(mail::lower(element));
}

/// The parts of `whole` outside of `taken`, in networks.
void take_out(const Network4or6& whole, const Network4or6& taken, std::vector<Network4or6>& rest) {
    if (whole.base.is_v4() != taken.base.is_v4() ||
        !(whole.contains(taken.base) || taken.contains(whole.base))) {
        rest.push_back(whole);
        return;
    }
    if (taken.prefix <= whole.prefix) {
        return;
    }
    // Halves: one is outside, the other is looked at again.
    auto low = whole;
    ++low.prefix;
    auto high = low;
    auto const bit = whole.prefix;
    auto const flip = [bit](auto bytes) {
        bytes[bit / 8] |= static_cast<unsigned char>(0x80U >> bit % 8);
        return bytes;
    };
    if (whole.base.is_v4()) {
        high.base = boost::asio::ip::address_v4(flip(whole.base.to_v4().to_bytes()));
    } else {
        high.base = boost::asio::ip::address_v6(flip(whole.base.to_v6().to_bytes()));
    }
    take_out(low, taken, rest);
    take_out(high, taken, rest);
}

std::vector<Network4or6> without(const Network4or6& network,
                                 const std::vector<Network4or6>& excluded) {
    std::vector<Network4or6> left{network};
    for (auto const& taken : excluded) {
        std::vector<Network4or6> rest;
        for (auto const& one : left) {
            take_out(one, taken, rest);
        }
        left = std::move(rest);
    }
    return left;
}

/// Postfix writes IPv6 addresses in brackets.
std::string bare(std::string text) {
    std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
    return text;
}

Result<Network4or6> network_of(const std::string& text) {
    return Network4or6::parse(bare(text));
}

void sort_once(std::vector<std::string>& items) {
    std::ranges::sort(items);
    auto const [begin, end] = std::ranges::unique(items);
    items.erase(begin, end);
}

}  // namespace

std::vector<Door> doors_of(const Postfix& postfix) {
    std::vector<Door> doors;
    for (auto const& service : postfix.services) {
        if (service.command != "smtpd" || (service.type != "inet" && service.type != "pass")) {
            continue;
        }
        bool const logins = postfix.get("smtpd_sasl_auth_enable", service) == "yes";
        doors.push_back({kind_of(place_of(service.name), service, logins), &service, logins});
    }
    return doors;
}

Listed networks_of(const Postfix& postfix) {
    Listed raw;
    for (auto const& element : elements(postfix.get("mynetworks"))) {
        add(raw, postfix, element, true);
    }
    Listed listed;
    listed.opaque = raw.opaque;
    // The first that matches decides: what is excluded is missing in all that follows.
    std::vector<Network4or6> excluded;
    for (auto const& text : raw.items) {
        bool const exclusion = text.starts_with('!');
        auto const network = network_of(text.substr(exclusion ? 1 : 0));
        if (!network) {
            listed.opaque.push_back(text);
        } else if (exclusion) {
            excluded.push_back(*network);
        } else {
            for (auto const& part : without(*network, excluded)) {
                listed.items.push_back(
                    part == *network ? bare(text)
                                     : fmt::format("{}/{}", part.base.to_string(), part.prefix));
            }
        }
    }
    sort_once(listed.items);
    return listed;
}

Listed domains_of(const Postfix& postfix) {
    Listed listed;
    for (auto const* name :
         {"mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains"}) {
        for (auto const& element : elements(postfix.get(name))) {
            add(listed, postfix, element, false);
        }
    }
    std::erase_if(listed.items, [](const std::string& item) {
        auto const name = item.starts_with('.') ? item.substr(1) : item;
        return !mail::is_host_name(name);
    });
    sort_once(listed.items);
    sort_once(listed.opaque);
    return listed;
}

Address address_of(const Postfix& postfix) {
    Address result;
    for (auto const& service : postfix.services) {
        auto const place = place_of(service.name);
        bool const takes_mail = service.command == "smtpd" || service.command == "postscreen";
        if (service.type != "inet" || !takes_mail || place.port == 0 ||
            kind_of(place, service, false) != Door::Kind::inbound) {
            continue;
        }
        result.port = place.port;
        if (is_address(place.host)) {
            result.address = place.host;
        } else if (place.host != "localhost") {
            // Listening on one address only: loopback does not answer.
            std::vector<std::string> interfaces;
            for (auto const& one : elements(postfix.get("inet_interfaces"))) {
                interfaces.push_back(bare(one));
            }
            bool const anywhere = std::ranges::any_of(interfaces, [](const std::string& one) {
                return one == "all" || one == "loopback-only" || is_loopback(one);
            });
            auto const first = std::ranges::find_if(interfaces, is_address);
            if (!anywhere && first != interfaces.end()) {
                result.address = *first;
            }
        }
        break;
    }
    return result;
}

Relayhost relayhost_of(const Postfix& postfix) {
    auto const hosts = elements(postfix.get("relayhost"));
    if (hosts.empty()) {
        return {};
    }
    auto text = hosts.front();
    Relayhost result;
    result.others = hosts.size() > 1;
    result.by_mx = !text.starts_with('[');
    auto const close = text.find(']');
    auto const colon = text.find(':', close == std::string::npos ? 0 : close);
    if (colon != std::string::npos) {
        result.port = port_of(text.substr(colon + 1));
        text = text.substr(0, colon);
    }
    result.host = bare(text);
    return result;
}

}  // namespace millrace::attach
