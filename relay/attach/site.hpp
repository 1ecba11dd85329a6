#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/attach/postfix.hpp"

/// What a Postfix is used for, read from its configuration. Pure.
namespace millrace::attach {

/// One way into Postfix by SMTP.
struct Door {
    enum class Kind {
        inbound,     ///< port 25: strangers, and perhaps programs of this machine
        submission,  ///< people and programs that log in
        reinjection  ///< loopback only, from a content filter: judged before it went there
    };
    Kind kind = Kind::inbound;
    const Service* service = nullptr;
    bool logins = false;  ///< AUTH is offered here
};

/// Every smtpd of master.cf, postscreen's included.
std::vector<Door> doors_of(const Postfix& postfix);

/// A list of networks or domains as Postfix has it, taken apart.
struct Listed {
    std::vector<std::string> items;   ///< literals, and what tables hold
    std::vector<std::string> opaque;  ///< tables that cannot be listed
};

/// mynetworks as Millrace writes networks: `127.0.0.0/8`, `::1/128`. What `!` excludes is not in
/// there; a network around it comes in parts.
Listed networks_of(const Postfix& postfix);
/// The domains it serves itself: mydestination, virtual_*_domains, relay_domains; lower-case.
Listed domains_of(const Postfix& postfix);

/// Where it takes mail from this machine: address (never a name) and port of its inbound door.
struct Address {
    std::string address = "127.0.0.1";
    std::uint16_t port = 25;
};
Address address_of(const Postfix& postfix);

/// A relayhost, taken apart: `[smtp.example.net]:587`. Of several (Postfix 3.5) the first.
struct Relayhost {
    std::string host;
    std::uint16_t port = 25;
    bool others = false;  ///< further ones are named behind it
    bool by_mx = false;   ///< written without brackets: Postfix looks up its MX
};
Relayhost relayhost_of(const Postfix& postfix);

}  // namespace millrace::attach
