#include "common/config/table.hpp"

#include <fmt/format.h>

#include "common/config/form.hpp"
#include "common/config/postmaster_copies.hpp"

// A setting exists when an operator has two different right answers. Otherwise it is a constant
// with a reason, next to the code that uses it.

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kilobyte = 1ULL << 10;
constexpr std::uint64_t megabyte = 1ULL << 20;
constexpr std::uint64_t terabyte = 1ULL << 40;
constexpr hours day(24);

const auto tls_levels = {std::pair<std::string_view, TlsLevel>{"none", TlsLevel::none},
                         {"may", TlsLevel::may},
                         {"encrypt", TlsLevel::encrypt},
                         {"verify", TlsLevel::verify}};

std::vector<std::string> texts_of(const std::vector<Network4or6>& networks) {
    std::vector<std::string> texts;
    for (auto const& network : networks) {
        texts.push_back(fmt::format("{}/{}", network.base.to_string(), network.prefix));
    }
    return texts;
}

void describe_networks(Table& t, std::string name, std::vector<Network4or6>& networks, Text words) {
    t.parsed(
        std::move(name),
        "networks",
        [&networks](const std::vector<std::string>& texts) -> Objection {
            std::vector<Network4or6> parsed;
            for (auto const& text : texts) {
                auto network = Network4or6::parse(text);
                if (!network) {
                    return fmt::format("{} is not a network, such as 192.0.2.0/24", quote(text));
                }
                if (network->prefix == 0) {
                    return fmt::format("{} trusts everyone: that is an open relay", quote(text));
                }
                parsed.push_back(*network);
            }
            networks = std::move(parsed);
            return std::nullopt;
        },
        [&networks] { return texts_of(networks); },
        std::move(words));
}

void describe_listener(Table& t, Listener& l) {
    t.text("address",
           l.address,
           form::address(),
           {"Address to listen on.", "other machines hand their mail in here", {}});
    t.number("port", l.port, {1, 65'535}, {"TCP port.", "the port is taken", {}});
    t.choice("profile",
             l.profile,
             {{"attached", Profile::attached}, {"submission", Profile::submission}},
             {"`attached`: beside an MTA on this machine, which has judged the mail already. "
              "`submission`: clients connect directly.",
              "applications use Millrace without a Postfix or Sendmail in front",
              {}});
    describe_networks(t,
                      "trusted",
                      l.trusted,
                      {"Clients whose mail is relayed.",
                       "a client on another machine is to be served",
                       "127.0.0.0/8 and ::1/128"});
    t.text("certificate",
           l.certificate,
           form::absolute_path(),
           {"PEM file with the certificate chain; STARTTLS is offered when it and `key` are set.",
            "clients connect over a network",
            {}});
    t.text(
        "key", l.key, form::absolute_path(), {"PEM file with the private key of `certificate`."});
}

void describe_route(Table& t, Route& r) {
    t.text("domain",
           r.domain,
           form::domain_pattern(),
           {"Which recipients: `example.com`, `.example.com` (its subdomains) or `*` (everything). "
            "The most exact route wins."});
    t.text("host",
           r.host,
           form::host_or_address(),
           {"Server that takes their mail; a name is looked up as an address, not as MX. Empty: by "
            "MX, the rest of the route still counts."});
    t.number("port", r.port, {1, 65'535}, {"Its TCP port."});
    t.choice("tls",
             r.tls,
             tls_levels,
             {"`none`: in clear. `may`: STARTTLS when offered. `encrypt`: always, whatever the "
              "certificate. `verify`: always, with a trusted certificate of that name."});
    t.text("user",
           r.user,
           form::any(),
           {"Login at an upstream smart host; needs `tls` at `encrypt` or `verify`."});
    t.text(
        "password_file",
        r.password_file,
        form::absolute_path(),
        {"File that holds the password of `user` in its first line, readable by the relay only."});
}

void describe_postmaster(Table& t, Relay& r) {
    t.text("relay.postmaster",
           r.postmaster,
           form::mailbox(),
           {"Who gets the copies that `relay.postmaster_copies` asks for.",
            "nobody reads mail under the relay's own name",
            "postmaster at `relay.hostname`"});
    t.parsed(
        "relay.postmaster_copies",
        "\"bounce\", \"double-bounce\", \"delay\"",
        [&r](const std::vector<std::string>& words) {
            return read_postmaster_copies(words, r.postmaster_copies);
        },
        [&r] { return words_of(r.postmaster_copies); },
        {"Of what the postmaster gets a copy, header only: of each `bounce`, of each "
         "`double-bounce` (mail without a sender, mostly a bounce, that could not be delivered), "
         "of "
         "each `delay` notice. As in Postfix, whose notify_classes names none of these by default; "
         "its class 2bounce is `double-bounce` here.",
         "a person reads them: every bad address of a newsletter is one message"});
}

void describe_relay(Table& t, Relay& r) {
    t.text("relay.hostname",
           r.hostname,
           form::host_name(),
           {"The name in EHLO, Received and Message-ID. Receivers look it up: it should have an "
            "address record, and the address should map back to it.",
            "the machine's own name is not the one the world sees",
            "the machine's full name"});
    t.duration("relay.alert_late_after",
               r.alert_late_after,
               {seconds(0), 60 * day},
               {"An alert is raised when mail that is no bulk has been due for so long and still "
                "waits; 0s: never. Mail that is put off to a later attempt is not late.",
                "your users notice sooner, or do not mind"});
    t.text("relay.event_log",
           r.event_log,
           form::absolute_path(),
           {"File to which every event is appended as one JSON object per line. Empty: none; the "
            "events are in the spool all the same.",
            "another program follows the events"});
    t.text(
        "relay.mail_log",
        r.mail_log,
        form::mail_log(),
        {"Where each attempt is written as a line in Postfix's form, under the names "
         "millrace/smtp, millrace/smtpd and so on: `syslog` (facility mail, beside Postfix's own "
         "lines), `syslog:/path` for another socket than /dev/log, or a file. Empty: nowhere.",
         "you search the mail log for a queue id, or pflogsumm and the like read it"});
    t.text("relay.handover_key",
           r.handover_key,
           form::absolute_path(),
           {"Key file shared with the milter: one line of base64, 32 random bytes or more, not "
            "readable by everyone. With it the relay believes what the milter hands over in the "
            "field X-Millrace-Handover: login, client, queue id and verdict; such mail is not "
            "judged again. Empty: nobody is believed.",
            "the milter runs beside the MTA in front of this relay"});
    t.text(
        "relay.spool.directory",
        r.spool.directory,
        form::absolute_path(),
        {"Where accepted mail is kept until it is delivered.", "the disk for mail is another one"});
    t.size("relay.spool.free_min",
           r.spool.free_min,
           {16 * megabyte, terabyte},
           {"With less free space than this new mail is put off with 452; delivery goes on.",
            "the disk is very small, or shared"});
    t.size("relay.spool.results_reserve",
           r.spool.results_reserve,
           {megabyte, terabyte},
           {"Space kept for the results of deliveries, so that a full disk doubles nothing.",
            "millions of recipients are queued"});
    t.duration("relay.spool.keep_events",
               r.spool.keep_events,
               {hours(1), 3'650 * day},
               {"How long events are kept for `show` and `events`.",
                "more history is wanted, or less disk used"});
    t.text("relay.control.socket",
           r.control_socket,
           form::socket_path(),
           {"Unix socket of the `millrace` command. Whoever may write to it may hold, remove and "
            "bounce mail.",
            {},
            "control.sock in the spool directory"});
    t.groups("relay.listeners",
             r.listeners,
             describe_listener,
             {"Where mail comes in by SMTP.",
              "clients on other machines, or other ports",
              "one `attached` listener on 127.0.0.1, port 2525"});
    t.texts("relay.dns.servers",
            r.dns.servers,
            form::name_server(),
            {"Name servers to ask, as `ip` or `ip:port`. Empty: those of /etc/resolv.conf.",
             "mail gets a resolver of its own"});
    t.yes_no("relay.dns.dnssec",
             r.dns.dnssec,
             {"Validate answers.", "the name servers in reach break DNSSEC"});
    t.groups("relay.routes",
             r.routes,
             describe_route,
             {"Ways that override the DNS, for one domain or for everything.",
              "mail leaves through an upstream smart host, or a domain has its server inside",
              "none: by MX"});
    describe_sources(t, r);
    t.texts("relay.shaping",
            r.shaping,
            Form{"files", form::absolute_path().check},
            {"Files with your own rules about receivers, wildcards allowed; see "
             "millrace-shaping(5). They stand above the rules that come with Millrace.",
             "a receiver tells you its limits, or answers what Millrace does not understand",
             "none: the rules that come with Millrace"});
    t.texts("relay.wake",
            r.wake,
            form::any(),
            {"Command that runs once whenever mail is taken again after it was not: at the start, "
             "and when a full disk has room again. Absolute path and arguments, no shell; 30 "
             "seconds at most.",
             "a Postfix in front is to send at once what it put off meanwhile: "
             "`[ \"/usr/sbin/postqueue\", \"-f\" ]`, with SupplementaryGroups=postdrop in the "
             "relay's unit"});
    describe_postmaster(t, r);
}

void describe_attached(Table& t, Attached& a) {
    t.texts("relay.attached.domains",
            a.domains,
            form::domain_pattern(),
            {"Domains that the mail server beside us serves itself; mail for them goes back to it "
             "unless a route says otherwise. `.example.com` stands for the subdomains.",
             "`millrace attach` was not used, and bounces for local users have to find home"});
    t.text("relay.attached.address",
           a.address,
           form::address(),
           {"Where that mail server takes mail."});
    t.number("relay.attached.port", a.port, {1, 65'535}, {"Its TCP port."});
}

void describe_delivery(Table& t, Delivery& d) {
    t.word(
        "relay.delivery.private_addresses",
        {"refuse", "allow"},
        [&d](std::size_t i) { d.private_addresses = i == 1; },
        [&d] { return d.private_addresses ? 1U : 0U; },
        {"Whether an MX record may point to a loopback or private address.",
         "receiving servers are inside your own network"});
    t.number(
        "relay.delivery.connections_per_site",
        d.connections_per_site,
        {1, 10'000},
        {"Open connections to one receiving server, at most; with `relay.sources`, from each of "
         "them.",
         "a receiver tells you its limit"});
    t.number("relay.delivery.connections_total",
             d.connections_total,
             {1, 100'000},
             {"Open connections to all receiving servers together, at most."});
    t.number("relay.delivery.messages_per_connection",
             d.messages_per_connection,
             {1, 100'000},
             {"After so many messages a connection is closed and a new one opened."});
    t.real("relay.delivery.connections_per_second",
           d.connections_per_second,
           {0, 10'000},
           {"New connections to one receiving server per second, at most, from each source; 0: no "
            "limit."});
    t.real("relay.delivery.messages_per_second",
           d.messages_per_second,
           {0, 100'000},
           {"Messages to one receiving server per second, at most, from each source; 0: no limit.",
            "a receiver tells you its rate"});
    t.number(
        "relay.delivery.port",
        d.port,
        {1, 65'535},
        {"TCP port of receiving servers.", "tests and closed networks; the world listens on 25"});
    t.choice("relay.delivery.tls",
             d.tls,
             tls_levels,
             {"TLS towards receiving servers found by MX; the levels are those of a route.",
              "policy forbids mail in clear: what cannot be encrypted then waits, and bounces"});
    t.yes_no("relay.delivery.ipv6",
             d.ipv6,
             {"Deliver over IPv6 too. With `relay.sources`, their families count instead.",
              "this machine's IPv6 address has a reverse record and a reputation"});
    t.duration("relay.delivery.expire_after",
               d.expire_after,
               {seconds(1), 60 * day},
               {"A message that could not be delivered for so long is returned to its sender, also "
                "when a limit or a block kept it waiting. What an operator holds or pauses stays."});
    t.duration("relay.delivery.delay_notice_after",
               d.delay_notice_after,
               {seconds(0), 60 * day},
               {"After so long a sender is told once that a message is delayed; 0s: never. Mail of "
                "`attached` listeners causes such notices only where the sender asked for them "
                "(NOTIFY=DELAY)."});
    t.durations("relay.delivery.retry",
                d.retry,
                {milliseconds(10), 7 * day},
                {"Time from each failed attempt to the next, some of it by chance; the last one "
                 "repeats."});
    t.duration("relay.delivery.connect_timeout",
               d.connect_timeout,
               {milliseconds(100), minutes(5)},
               {"Time to a TCP connection, per address."});
    t.duration("relay.delivery.idle_connection",
               d.idle_connection,
               {seconds(0), minutes(5)},
               {"How long an idle connection is kept for the next message."});
}

void describe_limits(Table& t, Limits& l, Http& h) {
    t.size("relay.limits.message_size",
           l.message_size,
           {64 * kilobyte, 1024 * megabyte},
           {"Largest message taken; announced as SIZE.", "attachments are larger"});
    t.number("relay.limits.recipients_per_message",
             l.recipients_per_message,
             {100, 50'000},
             {"Recipients of one message; RFC 5321 §4.5.3.1.8 asks for 100 at least."});
    t.number("relay.limits.connections",
             l.connections,
             {1, 100'000},
             {"Open SMTP sessions of all listeners; above, trusted clients of `attached` listeners "
              "wait for their greeting, others are told to come later. Where the system allows too few "
              "open files (LimitNOFILE), fewer are used, and the start says so."});
    t.number("relay.limits.connections_per_client",
             l.connections_per_client,
             {1, 100'000},
             {"Open SMTP sessions of one client address."});
    t.number("relay.limits.window",
             l.window,
             {100, 1'000'000},
             {"Recipients held in memory; the rest waits on disk.",
              "memory is scarce (about 1 KiB each), or many destinations are slow at once"});
    t.number("relay.limits.unattributed_per_hour",
             l.unattributed_per_hour,
             {0, 10'000'000},
             {"Recipients an hour for the account `local`: mail of `attached` listeners that the "
              "milter did not hand over (cron, sendmail(1), programs that connect to the relay "
              "themselves). What is more waits its turn, nothing is refused; 0: no limit. It holds "
              "only with `relay.handover_key`: without, all mail is of this account.",
              "local programs send newsletters, or never more than a few messages"});
    t.text("relay.http.address",
           h.address,
           form::address(),
           {"Address of the HTTP pages /metrics, /healthz and /readyz.",
            "Prometheus runs on another machine; put a firewall before it"});
    t.number("relay.http.port",
             h.port,
             {0, 65'535},
             {"Port of the HTTP pages; 0: none.", "the relay is monitored"});
    t.texts("relay.http.hosts",
            h.hosts,
            Form{"host names", form::host_or_address().check},
            {"Names that a request's Host header may carry, besides localhost and loopback "
             "addresses; anything else is refused, so that no web page can read the metrics.",
             "Prometheus reaches the page under a name"});
}

void describe_milter(Table& t, Milter& m) {
    t.text("milter.socket",
           m.socket,
           form::milter_socket(),
           {"Where Postfix or Sendmail reaches the milter: `unix:/path`, `inet:PORT@HOST` or "
            "`inet6:PORT@HOST`.",
            "the MTA runs in a chroot, or on another machine"});
    t.number("milter.sessions_max",
             m.sessions_max,
             {1, 10'000},
             {"MTA connections checked at once; each costs a thread. Above, mail is put off with a "
              "temporary error."});
    t.duration("milter.drain",
               m.drain,
               {seconds(0), seconds(25)},
               {"How long a stopping milter waits for messages under way."});
    describe_networks(
        t,
        "milter.trusted",
        m.trusted,
        {"Clients whose mail is checked and mended as our own, besides those that log "
         "in and programs on the MTA's machine. Mail of all others passes untouched.",
         "applications on other machines hand their mail to this MTA",
         "127.0.0.0/8 and ::1/128"});
    t.texts("milter.only_from",
            m.only_from,
            form::domain_pattern(),
            {"When not empty, the gate acts on mail of these envelope sender domains only; "
             "`.example.com` stands for the subdomains.",
             "one company of several on this server uses Millrace"});
    t.texts(
        "milter.only_to",
        m.only_to,
        form::domain_pattern(),
        {"When not empty, the gate acts only on mail whose recipients are all in these domains.",
         "one destination only goes through Millrace"});
    t.text("milter.message_log",
           m.message_log,
           form::absolute_path(),
           {"File to which one JSON object per message is appended; SIGHUP opens it again. Empty: "
            "none, the log has one line per message all the same.",
            "another program follows what the gate does"});
    t.text("milter.handover_key",
           m.handover_key,
           form::absolute_path(),
           {"Key file shared with the relay, the same as `relay.handover_key`. With it and in mode "
            "`enforce` the milter adds the field X-Millrace-Handover to mail that leaves through "
            "the relay alone. Empty: nothing is handed over.",
            "the relay behind this MTA is to know who sent a message"});
    t.texts(
        "milter.handover_mailers",
        m.handover_mailers,
        Form{"names", form::mailer().check},
        {"Transports (Postfix) or mailers (Sendmail) that lead to the relay. A message gets the "
         "handover field when all its recipients leave through one of them.",
         "the transport to the relay has another name; Sendmail: \"relay\""});
}

}  // namespace

std::vector<Setting> table(Settings& settings) {
    Table t;
    describe_relay(t, settings.relay);
    describe_attached(t, settings.relay.attached);
    describe_delivery(t, settings.relay.delivery);
    describe_limits(t, settings.relay.limits, settings.relay.http);
    describe_milter(t, settings.milter);
    describe_gate(t, settings.gate);
    return std::move(t).lines();
}

std::string_view about_group(std::string_view name) {
    constexpr std::pair<std::string_view, std::string_view> groups[] = {
        {"relay", "millrace-relay: takes mail, keeps it, delivers it."},
        {"relay.spool", "The spool: what has been taken over and is not delivered yet."},
        {"relay.control", "The socket of the `millrace` command."},
        {"relay.dns", "Where names are looked up."},
        {"relay.attached", "The mail server beside us; `millrace attach` fills this in."},
        {"relay.delivery", "How mail leaves."},
        {"relay.limits", "What is taken at most."},
        {"relay.http", "Pages for monitoring."},
        {"milter", "millrace-milter: the gate beside Postfix or Sendmail."},
        {"gate", "What is checked and mended in every message, in the milter and in the relay."},
        {"gate.checks",
         "What each check does with its fault: nothing (`off`), write it down (`note`), mend it "
         "(`repair`), refuse the message (`reject`)."},
    };
    for (auto const& [group, sentence] : groups) {
        if (group == name) {
            return sentence;
        }
    }
    return {};
}

}  // namespace millrace::config
