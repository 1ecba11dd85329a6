#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/config/shaping.hpp"
#include "common/net/endpoint.hpp"
#include "common/policy/settings.hpp"

/// What the configuration file says, checked and complete: plain values, no libconfig. The values
/// written here are the defaults; bounds and documentation of each setting stand in the table
/// (common/config/table.cpp).
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
    bool operator==(const Listener&) const = default;
};

struct Route {
    std::string domain = "*";  ///< `example.com`, `.example.com` (subdomains), `*` (everything)
    std::string host;          ///< name or address; empty: deliver by MX, other fields still count
    std::uint16_t port = 25;
    TlsLevel tls = TlsLevel::may;
    std::string user, password_file;  ///< AUTH to an upstream smart host; only over TLS
    bool operator==(const Route&) const = default;
};

/// Which IPv6 addresses mail may leave from.
enum class PtrRule {
    confirmed,  ///< one whose reverse name has this address
    any,
};

/// An address of this machine that mail leaves from.
struct Source {
    std::string address = "0.0.0.0";  ///< `0.0.0.0`, `::`: any of that family, the system's choice
    std::string hostname;             ///< said in EHLO there; default: relay.hostname
    /// One IPv4 and one IPv6 address of the same name are one source. Default: the address, or of
    /// a lone pair the first one.
    std::string name;
    unsigned weight = 1;  ///< its part of the mail of its pool
    PtrRule ptr = PtrRule::confirmed;
    bool warm_up = false;
    unsigned warm_up_first = 50;               ///< messages of the first day, per provider
    unsigned warm_up_goal = 20'000;            ///< messages a day with which it is over
    std::vector<std::string> warm_up_domains;  ///< senders' domains that are new there, too
    bool operator==(const Source&) const = default;
};

/// Sources among which the mail of certain senders is shared out.
struct Pool {
    std::string name = "pool";
    std::vector<std::string> sources;         ///< names; empty: all
    std::vector<std::string> classes;         ///< `bulk`, `transactional`; empty: both
    std::vector<std::string> sender_domains;  ///< `example.com`, `.example.com`; empty: all
    bool operator==(const Pool&) const = default;
};

/// Of which failures the postmaster gets a copy, as Postfix's notify_classes.
struct PostmasterCopies {
    bool bounce = false;         ///< mail returned to its sender
    bool double_bounce = false;  ///< mail without a sender that could not be delivered: a bounce
    bool delay = false;          ///< delay notices
    bool operator==(const PostmasterCopies&) const = default;
};

struct Delivery {
    bool private_addresses = false;  ///< allow MX on loopback or private addresses
    unsigned connections_per_site = 40;
    unsigned connections_total = 500;
    unsigned messages_per_connection = 100;
    double connections_per_second = 0;  ///< per site; 0: no limit
    double messages_per_second = 0;     ///< per site; 0: no limit
    std::uint16_t port =
        25;  ///< of receiving servers; other than 25 only for tests and closed networks
    TlsLevel tls = TlsLevel::may;
    bool ipv6 = false;  ///< IPv6 only when its source address is known to be good
    Duration expire_after = std::chrono::hours(24 * 5);
    Duration delay_notice_after = std::chrono::hours(4);  ///< for mail of attached listeners only
                                                          ///< when asked for; zero: never
    /// The schedule; the last step repeats. Never empty.
    std::vector<Duration> retry = {std::chrono::seconds(30),
                                   std::chrono::minutes(2),
                                   std::chrono::minutes(5),
                                   std::chrono::minutes(15),
                                   std::chrono::minutes(30),
                                   std::chrono::hours(1),
                                   std::chrono::hours(2),
                                   std::chrono::hours(4)};
    Duration connect_timeout = std::chrono::seconds(30);
    Duration idle_connection = std::chrono::seconds(2);
    bool operator==(const Delivery&) const = default;
};

struct Limits {
    std::uint64_t message_size = 64ULL << 20;
    unsigned recipients_per_message = 1000;
    unsigned connections = 1000;  ///< open sessions of all listeners
    unsigned connections_per_client = 100;
    unsigned window = 20'000;  ///< works held in memory; the rest waits on disk
    /// Recipients of the account `local`, with a handover key; 0: no limit. One a second: no cron
    /// job or monitor notices it, and of what a hacked script sends most is still here to be
    /// removed.
    unsigned unattributed_per_hour = 3600;
    bool operator==(const Limits&) const = default;
};

struct Http {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;          ///< 0: no HTTP
    std::vector<std::string> hosts;  ///< names a Host header may say, besides the loopback ones
    bool operator==(const Http&) const = default;
};

struct Spool {
    std::string directory = "/var/lib/millrace";
    std::uint64_t free_min = 256ULL << 20;  ///< below: 452 at the door
    std::uint64_t results_reserve = 64ULL
                                    << 20;  ///< kept for delivery results while the disk is full
    Duration keep_events = std::chrono::hours(24 * 30);
    bool operator==(const Spool&) const = default;
};

struct Dns {
    std::vector<std::string> servers;  ///< `ip[:port]`; empty: resolv.conf
    bool dnssec = true;
    bool operator==(const Dns&) const = default;
};

/// The MTA beside us, as `millrace attach` found it.
struct Attached {
    std::vector<std::string> domains;  ///< it serves them itself: their mail goes back to it
    std::string address = "127.0.0.1";
    std::uint16_t port = 25;
    bool operator==(const Attached&) const = default;
};

struct Relay {
    std::string hostname;  ///< EHLO, Received, Message-ID; default: the machine's FQDN
    Spool spool;
    std::string control_socket;       ///< default SPOOL/control.sock
    std::vector<Listener> listeners;  ///< default: one attached listener on 127.0.0.1:2525
    Dns dns;
    std::vector<Route> routes;
    Attached attached;
    std::vector<Source> sources;  ///< empty: the system's choice
    std::vector<Pool> pools;      ///< the first that fits counts; none does: all sources
    Delivery delivery;
    std::vector<std::string> shaping;  ///< rule files about receivers; glob(7) patterns
    ShapingRules shaping_rules;        ///< what is in them: read_rules(), never printed
    Limits limits;
    Http http;
    std::vector<std::string> wake;  ///< command and arguments; empty: none
    std::string postmaster;         ///< default postmaster@hostname
    PostmasterCopies postmaster_copies;
    Duration alert_late_after = std::chrono::hours(1);  ///< transactional mail that waits; 0: never
    std::string event_log;     ///< JSON lines file; empty: none
    std::string mail_log;      ///< Postfix's lines: a file, `syslog`, `syslog:/socket`; empty: none
    std::string handover_key;  ///< shared key file of milter and relay; empty: no header accepted
    std::string handover_secret;  ///< its bytes: read_secrets(), never printed
    bool operator==(const Relay&) const = default;
};

struct Milter {
    std::string socket = "unix:/run/millrace/milter.sock";
    unsigned sessions_max = 500;
    Duration drain = std::chrono::seconds(20);
    std::string handover_key;
    std::string handover_secret;  ///< its bytes: read_secrets(), never printed
    std::vector<std::string> handover_mailers = {"millrace"};  ///< transports to our relay
    bool operator==(const Milter&) const = default;
    std::vector<Network4or6> trusted;  ///< clients whose mail is ours; default 127.0.0.0/8, ::1/128
    std::string message_log;           ///< JSON lines file, one object per message; empty: none
    std::vector<std::string> only_from, only_to;  ///< domains the gate acts for; empty: all
};

struct Settings {
    Relay relay;
    Milter milter;
    policy::Settings gate;
    bool operator==(const Settings&) const = default;
};

using Snapshot = std::shared_ptr<const Settings>;

}  // namespace millrace::config
