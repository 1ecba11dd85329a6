#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"
#include "common/policy/settings.hpp"

/// What the configuration file says, checked and complete: plain values, no libconfig. The reasons
/// and the documentation of each setting stand in the table (common/config/table.cpp).
namespace millrace::config {

enum class TlsLevel {
    none,     ///< never
    may,      ///< opportunistic: use STARTTLS when offered, go on in clear when it fails
    encrypt,  ///< required, any certificate
    verify,   ///< required, trusted certificate that matches the host name
};

enum class Profile {
    attached,    ///< beside an MTA: loopback, no quotas refused, X-tag kept, delay DSNs off
    submission,  ///< stands on its own
};

struct Listener {
    std::string address = "127.0.0.1";
    std::uint16_t port = 2525;
    Profile profile = Profile::attached;
    std::vector<Network4or6> trusted;  ///< who may relay; default 127.0.0.0/8 and ::1/128
    std::string certificate, key;      ///< PEM files; STARTTLS is offered when both are set
};

struct Route {
    std::string domain;  ///< `example.com`, `.example.com` (subdomains), `*` (everything)
    std::string host;    ///< name or address; empty: deliver by MX, other fields still count
    std::uint16_t port = 25;
    TlsLevel tls = TlsLevel::may;
    std::string user, password_file;  ///< AUTH to an upstream smart host; only over TLS
};

struct Delivery {
    bool private_addresses = false;  ///< allow MX on loopback or private addresses
    unsigned connections_per_site = 20;
    unsigned connections_total = 500;
    unsigned messages_per_connection = 100;
    double connections_per_second = 0;  ///< per site; 0: no limit
    double messages_per_second = 0;     ///< per site; 0: no limit
    std::uint16_t port =
        25;  ///< of receiving servers; other than 25 only for tests and closed networks
    TlsLevel tls = TlsLevel::may;
    bool ipv6 = false;  ///< IPv6 only when its source address is known to be good
    Duration expire_after = std::chrono::hours(24 * 5);
    Duration delay_notice_after = std::chrono::hours(4);  ///< on listeners other than attached
    std::vector<Duration> retry;                          ///< the schedule; the last step repeats
    Duration connect_timeout = std::chrono::seconds(30);
    Duration idle_connection = std::chrono::seconds(2);
};

struct Limits {
    std::uint64_t message_size = 64ULL << 20;
    unsigned recipients_per_message = 1000;
    unsigned connections = 1000;  ///< open sessions of all listeners
    unsigned connections_per_client = 100;
    unsigned window = 20'000;  ///< works held in memory; the rest waits on disk
};

struct Http {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;  ///< 0: no HTTP
};

struct Spool {
    std::string directory = "/var/lib/millrace";
    std::uint64_t free_min = 256ULL << 20;  ///< below: 452 at the door
    std::uint64_t results_reserve = 64ULL
                                    << 20;  ///< kept for delivery results while the disk is full
    Duration keep_events = std::chrono::hours(24 * 30);
};

struct Dns {
    std::vector<std::string> servers;  ///< `ip[:port]`; empty: resolv.conf
    bool dnssec = true;
};

struct Relay {
    std::string hostname;  ///< EHLO, Received, Message-ID; default: the machine's FQDN
    Spool spool;
    std::string control_socket;       ///< default SPOOL/control.sock
    std::vector<Listener> listeners;  ///< default: one attached listener on 127.0.0.1:2525
    Dns dns;
    std::vector<Route> routes;
    Delivery delivery;
    Limits limits;
    Http http;
    std::string event_log;     ///< JSON lines file; empty: none
    std::string handover_key;  ///< shared key file of milter and relay; empty: no header accepted
};

struct Milter {
    std::string socket = "unix:/run/millrace/milter.sock";
    unsigned sessions_max = 500;
    Duration drain = std::chrono::seconds(20);
    std::string handover_key;
};

struct Settings {
    Relay relay;
    Milter milter;
    policy::Settings gate;
};

using Snapshot = std::shared_ptr<const Settings>;

}  // namespace millrace::config
