#include "relay/attach/sendmail.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <netdb.h>

#include "common/mail/domain.hpp"
#include "common/net/endpoint.hpp"

namespace millrace::attach {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trimmed(std::string_view text) {
    auto const begin = text.find_first_not_of(blanks);
    return begin == text.npos ? std::string_view()
                              : text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

template <typename Each>
void each_line(std::string_view text, Each each) {
    for (std::size_t begin = 0; begin < text.size();) {
        auto const end = std::min(text.find('\n', begin), text.size());
        each(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

std::vector<std::string> parted(std::string_view text, char by) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        auto const end = std::min(text.find(by, begin), text.size());
        if (auto const part = trimmed(text.substr(begin, end - begin)); !part.empty()) {
            parts.emplace_back(part);
        }
        begin = end + 1;
    }
    return parts;
}

/// The value of `key=…` among parts such as `Name=MTA`, `Port=25`.
std::string value_of(const std::vector<std::string>& parts, std::string_view key) {
    for (auto const& part : parts) {
        if (part.starts_with(key) && part.size() > key.size() && part[key.size()] == '=') {
            return std::string(trimmed(std::string_view(part).substr(key.size() + 1)));
        }
    }
    return {};
}

std::uint16_t port_of(const std::string& text) {
    std::uint16_t port = 0;
    auto const [end, fault] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (fault == std::errc() && end == text.data() + text.size() && port != 0) {
        return port;
    }
    auto const* const entry = ::getservbyname(text.c_str(), "tcp");
    return entry == nullptr ? 25 : ntohs(static_cast<std::uint16_t>(entry->s_port));
}

void take(const std::string& line, Sendmail& into) {
    auto const rest = std::string(trimmed(std::string_view(line).substr(1)));
    auto const cut = rest.find_first_of(line[0] == 'O' ? "=" : ", \t");
    auto const name = std::string(trimmed(rest.substr(0, cut)));
    auto const value =
        cut == rest.npos ? std::string() : std::string(trimmed(rest.substr(cut + 1)));
    switch (line[0]) {
        case 'O':
            into.options.emplace(name, value);
            if (name == "InputMailFilters") {
                into.filters = parted(value, ',');
            }
            break;
        case 'M':
            into.mailers.emplace(name, value);
            break;
        case 'K':
            into.maps.emplace(name, value);
            break;
        case 'D':
            if (rest.starts_with('S')) {
                into.smart_host = trimmed(std::string_view(rest).substr(1));
            }
            break;
        default:
            break;
    }
}

/// `10.1` is 10.1.0.0/16, as in the access map and relay-domains; empty: no address.
std::string network(std::string text) {
    if (text.starts_with("IPv6:")) {
        text.erase(0, 5);
        return Network4or6::parse(text) ? text : std::string();
    }
    if (text.empty() || text.find_first_not_of("0123456789.") != text.npos) {
        return {};
    }
    auto const parts = parted(text, '.');
    if (parts.empty() || parts.size() > 4) {
        return {};
    }
    std::string whole = parts[0];
    for (std::size_t i = 1; i < 4; ++i) {
        whole += "." + (i < parts.size() ? parts[i] : "0");
    }
    whole += fmt::format("/{}", parts.size() * 8);
    return Network4or6::parse(whole) ? whole : std::string();
}

}  // namespace

std::string Sendmail::option(const std::string& which, std::string otherwise) const {
    auto const found = options.find(which);
    return found == options.end() ? std::move(otherwise) : found->second;
}

Sendmail read_cf(std::string_view text) {
    Sendmail sendmail;
    std::string line;
    auto const end_line = [&] {
        if (!line.empty()) {
            take(line, sendmail);
        }
    };
    each_line(text, [&](std::string_view next) {
        if (!next.empty() && blanks.find(next[0]) != blanks.npos) {
            // A rule's continuation is of no interest, a mailer's is.
            line += " " + std::string(trimmed(next));
            return;
        }
        end_line();
        line = next;
    });
    end_line();
    return sendmail;
}

void read_test_mode(std::string_view output, Sendmail& into) {
    // Each answer follows its prompt and ends its last line.
    std::vector<std::vector<std::string>> answers;
    each_line(output, [&](std::string_view line) {
        while (line.starts_with("> ")) {
            line.remove_prefix(2);
            answers.emplace_back();
        }
        if (!answers.empty() && !trimmed(line).empty()) {
            answers.back().emplace_back(trimmed(line));
        }
    });
    answers.resize(std::max<std::size_t>(answers.size(), 4));
    into.name = answers[0].empty() ? std::string() : answers[0].front();
    into.relayed = answers[3];
    into.domains.clear();
    for (auto const* const names : {&answers[1], &answers[2]}) {
        for (auto const& name : *names) {
            if (auto lower = mail::lower(name); mail::is_host_name(lower)) {
                into.domains.push_back(std::move(lower));
            }
        }
    }
    std::ranges::sort(into.domains);
    auto const [begin, end] = std::ranges::unique(into.domains);
    into.domains.erase(begin, end);
}

std::vector<std::string> relaying(std::string_view access_file) {
    std::vector<std::string> keys;
    each_line(access_file, [&](std::string_view line) {
        auto const cut = line.find_first_of(blanks);
        if (line.starts_with('#') || cut == line.npos || cut == 0 ||
            trimmed(line.substr(cut)) != "RELAY") {
            return;
        }
        auto key = line.substr(0, cut);
        constexpr std::string_view connect = "Connect:";
        if (key.starts_with(connect)) {
            key.remove_prefix(connect.size());
        }
        // To:, From: are of no client.
        if (key.find(':') == key.npos || key.starts_with("IPv6:")) {
            keys.emplace_back(key);
        }
    });
    return keys;
}

std::string significant(std::string_view cf) {
    std::string text;
    each_line(cf, [&](std::string_view line) {
        if (!line.starts_with('#') && !trimmed(line).empty()) {
            text += std::string(line) + "\n";
        }
    });
    return text;
}

Listed networks_of(const Sendmail& sendmail) {
    Listed listed{{"127.0.0.0/8", "::1/128"}, {}};
    for (auto const* const names : {&sendmail.relayed, &sendmail.access_relay}) {
        for (auto const& name : *names) {
            if (auto found = network(name); !found.empty()) {
                listed.items.push_back(std::move(found));
            } else if (name != "localhost" && names == &sendmail.access_relay) {
                listed.opaque.push_back(name);
            }
        }
    }
    std::ranges::sort(listed.items);
    auto const [begin, end] = std::ranges::unique(listed.items);
    listed.items.erase(begin, end);
    return listed;
}

Address address_of(const Sendmail& sendmail) {
    Address address;
    auto const parts = parted(sendmail.option("DaemonPortOptions"), ',');
    if (auto const port = value_of(parts, "Port"); !port.empty()) {
        address.port = port_of(port);
    }
    auto const host = value_of(parts, "Addr");
    boost::system::error_code error;
    auto const parsed = boost::asio::ip::make_address(host, error);
    if (!error && !parsed.is_unspecified()) {
        address.address = host;
    }
    return address;
}

SmartHost smart_host_of(const Sendmail& sendmail) {
    SmartHost smart;
    auto text = sendmail.smart_host;
    if (auto const colon = text.find(':'); colon != text.npos && !text.starts_with('[')) {
        smart.mailer = text.substr(0, colon);
        text = text.substr(colon + 1);
    }
    smart.by_mx = !text.starts_with('[');
    std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
    smart.host = text;
    if (auto const mailer = sendmail.mailers.find(smart.mailer); mailer != sendmail.mailers.end()) {
        // A=TCP $h PORT
        auto const words = parted(value_of(parted(mailer->second, ','), "A"), ' ');
        if (words.size() > 2) {
            smart.port = port_of(words[2]);
        }
    }
    return smart;
}

}  // namespace millrace::attach
