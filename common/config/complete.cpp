#include "common/config/complete.hpp"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/mail/domain.hpp"

namespace millrace::config {
namespace {

std::vector<Network4or6> loopback() {
    return {*Network4or6::parse("127.0.0.0/8"), *Network4or6::parse("::1/128")};
}

Result<void> complete_listeners(Relay& relay, std::vector<std::string>& warnings) {
    if (relay.listeners.empty()) {
        relay.listeners.emplace_back();
    }
    std::set<std::pair<std::string, std::uint16_t>> taken;
    for (auto& listener : relay.listeners) {
        auto const place =
            fmt::format("relay.listeners: {} port {}", listener.address, listener.port);
        if (!taken.emplace(listener.address, listener.port).second) {
            return failure(Fault::invalid, place + " is there twice");
        }
        if (listener.certificate.empty() != listener.key.empty()) {
            return failure(Fault::invalid,
                           place + ": certificate and key belong together; one of them is missing");
        }
        if (listener.trusted.empty()) {
            listener.trusted = loopback();
        }
        for (auto const& network : listener.trusted) {
            if (network.prefix < (network.base.is_v4() ? 8U : 16U)) {
                warnings.push_back(fmt::format("{} trusts {}/{}: a very large part of the Internet",
                                               place,
                                               network.base.to_string(),
                                               network.prefix));
            }
        }
        boost::system::error_code error;
        auto const address = boost::asio::ip::make_address(listener.address, error);
        if (error) {
            return failure(Fault::invalid, "relay.listeners: a listener needs an address");
        }
        if (listener.profile == Profile::attached && !address.is_loopback()) {
            warnings.push_back(
                place +
                " is `attached` but not on a loopback address: mail from there is not "
                "judged as submitted mail is");
        }
    }
    if (relay.http.port != 0 && taken.contains({relay.http.address, relay.http.port})) {
        return failure(
            Fault::invalid,
            fmt::format("relay.http.port: port {} is taken by a listener", relay.http.port));
    }
    return {};
}

Result<void> check_routes(const Relay& relay) {
    std::set<std::string> domains;
    for (auto const& route : relay.routes) {
        if (route.domain.empty()) {
            return failure(Fault::invalid,
                           "relay.routes: a route needs a domain; \"*\" stands for everything");
        }
        if (!domains.insert(mail::lower(route.domain)).second) {
            return failure(
                Fault::invalid,
                fmt::format("relay.routes: there are two routes for \"{}\"", route.domain));
        }
        if (route.user.empty() != route.password_file.empty()) {
            return failure(Fault::invalid,
                           fmt::format("relay.routes: the route for \"{}\" needs both user and "
                                       "password_file, or none of them",
                                       route.domain));
        }
        if (!route.user.empty() && route.tls != TlsLevel::encrypt &&
            route.tls != TlsLevel::verify) {
            return failure(
                Fault::invalid,
                fmt::format("relay.routes: the route for \"{}\" would send its password in "
                            "clear: set tls = \"encrypt\" or \"verify\"",
                            route.domain));
        }
    }
    return {};
}

Result<void> check_wake(const Relay& relay, std::vector<std::string>& warnings) {
    if (relay.wake.empty()) {
        return {};
    }
    auto const& program = relay.wake.front();
    if (!program.starts_with('/')) {
        return failure(
            Fault::invalid,
            fmt::format("relay.wake: \"{}\" must be an absolute path; arguments are further "
                        "elements of the list",
                        program));
    }
    // No reason to take no mail: the mail server may just be being upgraded.
    if (::access(program.c_str(), X_OK) != 0) {
        warnings.push_back(fmt::format(
            "relay.wake: {} cannot be executed: {}; what the mail server put off waits for its own "
            "next attempt",
            program,
            std::strerror(errno)));
    }
    return {};
}

void complete_names(Settings& settings, std::vector<std::string>& warnings) {
    auto& relay = settings.relay;
    bool const given = !relay.hostname.empty();
    if (!given) {
        relay.hostname = machine_name();
    }
    if (relay.hostname.find('.') == std::string::npos) {
        warnings.push_back(fmt::format(
            "relay.hostname is \"{}\"{}, which has no dot: many receivers refuse such an "
            "EHLO; set it to the full name of this machine",
            relay.hostname,
            given ? "" : " (the name of this machine)"));
    }
    if (settings.gate.sender.empty()) {
        settings.gate.sender = "postmaster@" + relay.hostname;
    }
    if (relay.postmaster.empty()) {
        relay.postmaster = "postmaster@" + relay.hostname;
    }
    settings.gate.message_id_domain = relay.hostname;
}

}  // namespace

std::string machine_name() {
    char buffer[256] = {};
    if (::gethostname(buffer, sizeof buffer - 1) != 0) {
        return "localhost";
    }
    std::string name = mail::lower(buffer);
    while (name.ends_with('.')) {
        name.pop_back();
    }
    if (name.find('.') == std::string::npos) {
        // `127.0.1.1 mail.example.com mail`: how Debian tells the full name.
        std::ifstream hosts("/etc/hosts");
        for (std::string line; std::getline(hosts, line);) {
            std::istringstream words(line.substr(0, line.find('#')));
            std::string address, full, alias;
            words >> address >> full;
            while (words >> alias) {
                if (mail::lower(alias) == name && full.find('.') != std::string::npos &&
                    mail::is_host_name(full)) {
                    return mail::lower(full);
                }
            }
        }
    }
    return mail::is_host_name(name) ? name : "localhost";
}

Result<void> complete(Settings& settings, std::vector<std::string>& warnings) {
    auto& relay = settings.relay;
    complete_names(settings, warnings);
    if (relay.spool.directory.empty()) {
        return failure(Fault::invalid, "relay.spool.directory must not be empty");
    }
    if (settings.milter.socket.empty()) {
        return failure(Fault::invalid, "milter.socket must not be empty");
    }
    if (relay.http.address.empty()) {
        return failure(Fault::invalid, "relay.http.address must not be empty");
    }
    if (settings.gate.fallback_charset.empty()) {
        return failure(Fault::invalid, "gate.fallback_charset must not be empty");
    }
    if (relay.control_socket.empty()) {
        relay.control_socket = relay.spool.directory + "/control.sock";
        if (relay.control_socket.size() >= sizeof(sockaddr_un::sun_path)) {
            return failure(Fault::invalid,
                           "relay.spool.directory is too long for the control socket in it: set "
                           "relay.control.socket to a shorter path");
        }
    }
    if (relay.delivery.connections_per_site > relay.delivery.connections_total) {
        return failure(Fault::invalid,
                       "relay.delivery.connections_per_site is larger than connections_total");
    }
    if (relay.delivery.retry.front() > relay.delivery.expire_after) {
        return failure(Fault::invalid,
                       "relay.delivery.retry: the first step is longer than expire_after; nothing "
                       "would ever be tried again");
    }
    if (settings.gate.field_size_max > settings.gate.block_size_max) {
        return failure(Fault::invalid, "gate.field_size_max is larger than block_size_max");
    }
    if (settings.milter.trusted.empty()) {
        settings.milter.trusted = loopback();
    }
    if (auto done = complete_listeners(relay, warnings); !done) {
        return done;
    }
    if (auto done = complete_sources(relay, warnings); !done) {
        return done;
    }
    if (auto done = check_wake(relay, warnings); !done) {
        return done;
    }
    return check_routes(relay);
}

}  // namespace millrace::config
