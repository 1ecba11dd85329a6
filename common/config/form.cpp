#include "common/config/form.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <sys/un.h>

#include <boost/asio/ip/address.hpp>

#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"

namespace millrace::config::form {
namespace {

bool is_address(std::string_view text) {
    boost::system::error_code error;
    boost::asio::ip::make_address(text, error);
    return !error;
}

bool is_port(std::string_view text) {
    unsigned port = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    return error == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65'535;
}

/// `_` is met in real names and does no harm.
bool is_host(std::string_view text) {
    std::string name(text);
    std::replace(name.begin(), name.end(), '_', 'x');
    return mail::is_host_name(name);
}

std::string not_a(std::string_view text, std::string_view what) {
    return fmt::format("{} is not {}", quote(text), what);
}

Objection check_path(std::string_view path) {
    if (!path.starts_with('/')) {
        return fmt::format("{} is not an absolute path: start it with /", quote(path));
    }
    return std::nullopt;
}

Objection check_socket_path(std::string_view path) {
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        return fmt::format("{} is too long for a socket: at most {} bytes",
                           quote(path),
                           sizeof(sockaddr_un::sun_path) - 1);
    }
    return check_path(path);
}

Objection check_milter_socket(std::string_view text) {
    auto const colon = text.find(':');
    auto const kind = text.substr(0, colon);
    if (colon == std::string_view::npos ||
        (kind != "unix" && kind != "local" && kind != "inet" && kind != "inet6")) {
        return not_a(text, "a milter socket: write unix:/path, inet:PORT@HOST or inet6:PORT@HOST");
    }
    auto const rest = text.substr(colon + 1);
    if (kind == "unix" || kind == "local") {
        return check_socket_path(rest);
    }
    auto const at = rest.find('@');
    if (at == std::string_view::npos || !is_port(rest.substr(0, at)) ||
        !(is_host(rest.substr(at + 1)) || is_address(rest.substr(at + 1)))) {
        return not_a(text, "a milter socket: write it as inet:8891@127.0.0.1");
    }
    return std::nullopt;
}

Objection check_name_server(std::string_view text) {
    auto const complaint = [&] {
        return not_a(text,
                     "an address of a name server, such as 192.0.2.53 or [2001:db8::53]:5353");
    };
    if (is_address(text)) {
        return std::nullopt;
    }
    auto const colon = text.rfind(':');
    if (colon == std::string_view::npos || !is_port(text.substr(colon + 1))) {
        return complaint();
    }
    auto host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return complaint();  // an IPv6 address with a port needs its brackets
    }
    return is_address(host) ? Objection{} : complaint();
}

Objection check_mailbox(std::string_view text) {
    auto const at = text.rfind('@');
    bool good = at != std::string_view::npos && at > 0 && at <= 64 && is_host(text.substr(at + 1));
    for (char const c : text.substr(0, good ? at : 0)) {
        // What needs quoting has no place in an operator's own address.
        good = good && c > ' ' && c < 0x7f &&
               std::string_view("\"(),:;<>@[\\]").find(c) == std::string_view::npos;
    }
    return good ? Objection{} : not_a(text, "a mail address, such as postmaster@example.com");
}

}  // namespace

Form any() {
    return {"text", nullptr};
}

Form mailer() {
    return {"name", [](std::string_view text) {
                const bool good = !text.empty() && text.size() <= 64 &&
                                  text.find_first_of(" \t:;,\"") == std::string_view::npos;
                return good ? Objection{}
                            : fmt::format("{} is not the name of a transport, such as millrace",
                                          quote(text));
            }};
}

Form label() {
    return {"name", [](std::string_view text) {
                const bool good =
                    !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
                        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                               (c >= 'A' && c <= 'Z') ||
                               std::string_view(".-_:").find(c) != std::string_view::npos;
                    });
                return good ? Objection{}
                            : fmt::format(
                                  "{} is no name: write letters, digits and . - _ : only, "
                                  "64 at most",
                                  quote(text));
            }};
}

Form host_name() {
    return {"host name", [](std::string_view text) {
                return is_host(text) ? Objection{}
                                     : not_a(text, "a host name, such as mail.example.com");
            }};
}

Form host_or_address() {
    return {"host name or address", [](std::string_view text) {
                return is_host(text) || is_address(text)
                           ? Objection{}
                           : not_a(text, "a host name or an IP address");
            }};
}

Form domain_pattern() {
    return {"domain", [](std::string_view text) {
                auto const name = text.starts_with('.') ? text.substr(1) : text;
                return text == "*" || is_host(name)
                           ? Objection{}
                           : not_a(text, "a domain: write example.com, .example.com or *");
            }};
}

Form address() {
    return {"IP address", [](std::string_view text) {
                return is_address(text) ? Objection{} : not_a(text, "an IP address");
            }};
}

Form name_server() {
    return {"addresses of name servers", check_name_server};
}

Form absolute_path() {
    return {"absolute path", check_path};
}

Form mail_log() {
    return {"`syslog` or absolute path", [](std::string_view text) {
                constexpr std::string_view socket = "syslog:";
                return text == "syslog"           ? Objection{}
                       : text.starts_with(socket) ? check_socket_path(text.substr(socket.size()))
                                                  : check_path(text);
            }};
}

Form socket_path() {
    return {"absolute path", check_socket_path};
}

Form milter_socket() {
    return {"milter socket", check_milter_socket};
}

Form mailbox() {
    return {"mail address", check_mailbox};
}

Form charset() {
    return {"name of a character set", [](std::string_view text) {
                return mail::is_known_charset(text) ? Objection{}
                                                    : not_a(text, "a known character set");
            }};
}

}  // namespace millrace::config::form
