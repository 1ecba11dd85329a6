#include "relay/relay.hpp"

#include "relay/auditor.hpp"
#include "relay/custodian.hpp"
#include "relay/deliver/router.hpp"
#include "relay/dispatcher.hpp"
#include "relay/feedback/journal_writer.hpp"
#include "relay/intake/smtp_server.hpp"
#include "relay/operator_desk.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// How often a spool that refused mail is asked whether it has room again.
constexpr Duration look_again = 2s;

std::vector<Endpoint> own_endpoints(const std::vector<std::unique_ptr<Listener>>& listeners) {
    std::vector<Endpoint> own;
    own.reserve(listeners.size());
    for (auto const& listener : listeners) {
        own.push_back(listener->local());
    }
    return own;
}

/// Settings that a running relay cannot change.
std::vector<std::string> needs_restart(const config::Relay& old, const config::Relay& now) {
    std::vector<std::string> names;
    auto check = [&](bool same, const char* name) {
        if (!same) {
            names.emplace_back(name);
        }
    };
    check(old.spool.directory == now.spool.directory, "relay.spool.directory");
    check(old.control_socket == now.control_socket, "relay.control.socket");
    check(old.event_log == now.event_log, "relay.event_log");
    check(old.mail_log == now.mail_log, "relay.mail_log");
    check(old.http.address == now.http.address && old.http.port == now.http.port, "relay.http");
    check(old.dns.servers == now.dns.servers && old.dns.dnssec == now.dns.dnssec, "relay.dns");
    bool same = old.listeners.size() == now.listeners.size();
    for (std::size_t i = 0; same && i < old.listeners.size(); ++i) {
        same = old.listeners[i].address == now.listeners[i].address &&
               old.listeners[i].port == now.listeners[i].port;
    }
    check(same, "relay.listeners");
    return names;
}

}  // namespace

/// The rooms in the order in which mail walks through them; destroyed from the last to the first.
struct Relay::Rooms {
    Rooms(Relay& relay,
          World w,
          config::Snapshot s,
          std::vector<std::unique_ptr<Listener>> listeners)
        : world(w),
          settings(std::move(s)),
          own(own_endpoints(listeners)),
          ids(0, w.spool.last_id()),
          work(w.executor, w.log, "relay"),
          journal(w.executor,
                  w.spool,
                  w.clock,
                  w.pool,
                  w.log,
                  event_log_view(settings->relay.event_log),
                  {settings->relay.spool.keep_events,
                   [this] {
                       return mail_log.position();
                   }}),
          mail_log(w.executor,
                   w.spool,
                   w.clock,
                   w.pool,
                   w.log,
                   mail_log_view(settings->relay.mail_log, settings->relay.hostname),
                   {}),
          router(w.executor, w.resolver, w.clock, w.log, settings, own),
          dispatcher(
              {w.executor,
               w.clock,
               w.random,
               w.network,
               w.spool,
               w.resolver,
               router,
               ids,
               w.log,
               w.metrics,
               [this](std::string what, std::string detail) {
                   desk.problem(std::move(what), std::move(detail));
               }},
              settings,
              [this](const Committed& committed) { grown(committed); },
              [this, &relay](std::string why) { broken(relay, std::move(why)); }),
          custodian({w.clock,
                     w.spool,
                     dispatcher,
                     ids,
                     work,
                     [this](const Committed& committed) { grown(committed); },
                     [this, &relay](std::string why) { broken(relay, std::move(why)); },
                     [this, &relay] {
                         refused(relay);
                     }}),
          server(
              {w.executor, w.clock, w.log, w.metrics, custodian}, settings, std::move(listeners)),
          desk({w.clock,
                w.spool,
                dispatcher,
                ids,
                w.log,
                [this] { return static_cast<unsigned>(server.sessions()); },
                [this] { return static_cast<unsigned>(server.waiting()); },
                [this, &relay] { return reload(relay); },
                [this](const Committed& committed) { grown(committed); },
                [this] {
                    return settings->relay.alert_late_after;
                },
                [this]() -> const std::optional<Audit>& {
                    return auditor.last();
                }},
               settings->relay.hostname),
          auditor({w.clock, w.spool, w.log, [this](std::string what, std::string detail) {
                       desk.problem(std::move(what), std::move(detail));
                   }}) {
        w.metrics.gauge("millrace_queued_recipients",
                        "Recipients in the queue, held ones included.",
                        [this] { return static_cast<double>(world.spool.health().queued); });
        w.metrics.gauge("millrace_spool_free_bytes",
                        "Free space of the spool's file system.",
                        [this] { return static_cast<double>(world.spool.health().free_bytes); });
        w.metrics.gauge("millrace_delivery_connections",
                        "Open connections to receiving servers.",
                        [this] { return static_cast<double>(dispatcher.deliveries()); });
        w.metrics.gauge("millrace_operator_orders",
                        "Orders of an operator in force: pauses and drains.",
                        [this] { return static_cast<double>(desk.orders().size()); });
        w.metrics.gauge("millrace_intake_sessions", "Open sessions of clients.", [this] {
            return static_cast<double>(server.sessions());
        });
        count_alerts();
        show_books();
    }

    /// received = all the others + queued, at any moment.
    void show_books() {
        auto const show = [this](const char* name, const char* help, std::uint64_t Books::*part) {
            world.metrics.gauge(name, help, [this, part] {
                return static_cast<double>(world.spool.health().books.*part);
            });
        };
        show("millrace_books_received",
             "Recipients taken over since the spool was made.",
             &Books::received);
        show("millrace_books_delivered", "Of those, delivered.", &Books::delivered);
        show("millrace_books_bounced", "Of those, refused for good.", &Books::bounced);
        show("millrace_books_expired", "Of those, given up.", &Books::expired);
        show("millrace_books_suppressed", "Of those, not sent to.", &Books::suppressed);
        show("millrace_books_removed", "Of those, removed by an operator.", &Books::removed);
        world.metrics.gauge("millrace_audit_mismatches",
                            "Things that do not add up between the books and the disk.",
                            [this] { return static_cast<double>(auditor.mismatches()); });
    }

    /// Numbers of what an operator is alerted of: a label never holds a domain, so names stand in
    /// the status and the log.
    void count_alerts() {
        auto const count = [this](const char* kind, const char* name, const char* help) {
            world.metrics.gauge(name, help, [this, kind] {
                return static_cast<double>(desk.alerts().count(kind));
            });
        };
        count("blocked",
              "millrace_blocked_receivers",
              "Receivers that refuse everything from one of our addresses.");
        count("compliance-hold",
              "millrace_compliance_holds",
              "Senders' domains that a receiver does not find in order.");
        count("domain-blocked",
              "millrace_blocked_domains",
              "Senders' domains that a receiver refuses for their reputation.");
        count("list-hold",
              "millrace_held_lists",
              "Bulk mail of a sender that is held, because a receiver does not know its recipients.");
        count("late",
              "millrace_late_destinations",
              "Destinations with mail due for longer than relay.alert_late_after.");
        world.metrics.gauge("millrace_oldest_seconds", "Age of the oldest mail.", [this] {
            auto const oldest = world.spool.health().oldest;
            return oldest == never
                       ? 0.0
                       : std::chrono::duration<double>(world.clock.now() - oldest).count();
        });
        world.metrics.gauge("millrace_unknown_users_ratio",
                            "Largest share of late recipients that one receiver does not know.",
                            [this] { return desk.unknown_users(); });
    }

    /// The journal has new events.
    void grown(const Committed& committed) {
        desk.count_events(committed.events);
        journal.notify();
        mail_log.notify();
    }

    /// Somebody has been told to come later: he is told when later is. Nothing is looked at as long
    /// as nobody was refused.
    void refused(Relay& relay) {
        if (!std::exchange(awaits_room, true)) work.spawn(await_room(relay));
    }

    Task<void> await_room(Relay& relay) {
        auto const why = world.spool.health().why;
        world.log.warning("relay.refuses-mail", {{"why", why}});
        desk.problem("relay.refuses-mail", why);
        do {
            co_await world.clock.sleep(look_again);
        } while (!world.spool.health().accepting);
        awaits_room = false;
        world.log.info("relay.takes-mail-again", {});
        wake(relay);
    }

    void wake(Relay& relay) {
        if (relay.wake && !settings->relay.wake.empty()) relay.wake(settings->relay.wake);
    }

    void broken(Relay& relay, std::string why) {
        if (is_broken) {
            return;
        }
        is_broken = true;
        world.log.error("spool.broken", {{"why", why}});
        desk.problem("spool.broken", why);
        if (relay.on_broken) {
            relay.on_broken(std::move(why));
        }
    }

    Result<std::vector<std::string>> reload(Relay& relay) {
        if (!relay.read_settings) {
            return failure(Fault::unavailable, "this relay runs without a configuration file");
        }
        auto fresh = relay.read_settings();
        if (!fresh) {
            world.log.error(
                "settings.refused",
                {{"why", fresh.error().detail}, {"next", "the old ones stay in force"}});
            desk.problem("settings.refused", fresh.error().detail);
            return std::unexpected(fresh.error());
        }
        return relay.configure(std::move(*fresh));
    }

    World world;
    config::Snapshot settings;
    std::vector<Endpoint> own;
    MessageIds ids;
    TaskGroup work;
    JournalWriter journal;   // for programs
    JournalWriter mail_log;  // for those who know Postfix's
    Router router;
    Dispatcher dispatcher;
    Custodian custodian;
    SmtpServer server;
    OperatorDesk desk;
    Auditor auditor;
    bool is_broken = false;
    bool awaits_room = false;
};

Relay::Relay(World world,
             config::Snapshot settings,
             std::vector<std::unique_ptr<Listener>> listeners)
    : rooms_(std::make_unique<Rooms>(*this, world, std::move(settings), std::move(listeners))) {}

Relay::~Relay() = default;

void Relay::start() {
    rooms_->dispatcher.start();
    rooms_->work.spawn(rooms_->journal.run());
    rooms_->work.spawn(rooms_->mail_log.run());
    rooms_->work.spawn(rooms_->desk.watch());
    rooms_->work.spawn(rooms_->auditor.run());
    rooms_->server.start();
    if (rooms_->world.spool.health().accepting) {
        rooms_->wake(*this);
    } else {
        rooms_->refused(*this);
    }
}

Task<void> Relay::stop(Time deadline) {
    // From the door inwards: what comes in is settled before what goes out, and the journal ends
    // last.
    co_await rooms_->server.stop(deadline);
    co_await rooms_->dispatcher.stop(deadline);
    co_await rooms_->router.stop();
    rooms_->journal.stop();
    rooms_->mail_log.stop();
    // A little longer than the deadline: what was delivered up to it is written, too.
    co_await rooms_->journal.settled(deadline + std::chrono::seconds(2));
    co_await rooms_->mail_log.settled(deadline + std::chrono::seconds(2));
    rooms_->work.stop();
    co_await rooms_->work.drained();
}

std::vector<std::string> Relay::configure(config::Snapshot settings) {
    auto names = needs_restart(rooms_->settings->relay, settings->relay);
    rooms_->settings = settings;
    rooms_->router.configure(settings, rooms_->own);
    rooms_->dispatcher.configure(settings);
    rooms_->server.configure(settings);
    rooms_->world.log.info("settings.loaded", {{"needs_restart", names.size()}});
    return names;
}

void Relay::reopen_logs() {
    rooms_->journal.reopen();
    rooms_->mail_log.reopen();
}

Operations& Relay::operations() {
    return rooms_->desk;
}

Result<std::vector<std::unique_ptr<Listener>>> open_listeners(Network& network,
                                                              const config::Relay& settings) {
    std::vector<std::unique_ptr<Listener>> listeners;
    for (auto const& wanted : settings.listeners) {
        boost::system::error_code bad;
        Endpoint at{boost::asio::ip::make_address(wanted.address, bad), wanted.port};
        if (bad) {
            return failure(Fault::invalid,
                           "listener address " + wanted.address + " is no IP address");
        }
        auto listener = network.listen(at);
        if (!listener) {
            return std::unexpected(listener.error());
        }
        listeners.push_back(std::move(*listener));
    }
    return listeners;
}

}  // namespace millrace::relay
