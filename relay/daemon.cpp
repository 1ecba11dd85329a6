#include "relay/daemon.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/asio_clock.hpp"
#include "common/net/asio_network.hpp"
#include "common/net/thread_work_pool.hpp"
#include "common/net/tls_context.hpp"
#include "common/net/unbound_resolver.hpp"
#include "relay/api/control_server.hpp"
#include "relay/api/http_server.hpp"
#include "relay/descriptors.hpp"
#include "relay/errand.hpp"
#include "relay/inherited.hpp"
#include "relay/relay.hpp"
#include "relay/spool/rocks_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// SIGTERM to exit in 30 s at most: this much for messages under way, the rest for closing.
constexpr Duration grace = 20s;
/// With a spool that cannot be trusted nothing can be finished any more.
constexpr Duration grace_when_broken = 1s;

bool under_systemd() {
    return std::getenv("JOURNAL_STREAM") != nullptr;
}

/// As many descriptors as the system lets us have: each session, delivery and store file needs one.
/// Returns how many.
std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return descriptors_kept;
    auto const before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_max : before;
}

Result<ResolverSettings> resolver_settings(const config::Dns& dns) {
    ResolverSettings settings;
    settings.dnssec = dns.dnssec;
    for (auto const& server : dns.servers) {
        auto const endpoint = Endpoint::parse(server, 53);
        if (!endpoint) {
            return std::unexpected(endpoint.error());
        }
        settings.servers.push_back(*endpoint);
    }
    return settings;
}

/// Everything that belongs to the process, in order of dependence.
class Daemon {
  public:
    explicit Daemon(const config::Program& program)
        : program_(program),
          log_(STDERR_FILENO,
               Level::info,
               under_systemd() ? DescriptorLog::Prefix::syslog_level : DescriptorLog::Prefix::none),
          network_(loop_.get_executor(), clock_, client_tls_),
          pool_(2),
          random_(seed_from_system()),
          signals_(loop_, SIGTERM, SIGINT, SIGHUP),
          wake_(loop_.get_executor(), log_, "relay.wake") {}

    int run() {
        auto const ready = prepare();
        if (!ready) {
            log_.error("relay.cannot-start", {{"why", ready.error().detail}});
            return ready.error().fault == Fault::invalid ? config::exit_configuration
                                                         : config::exit_temporary;
        }
        asio::co_spawn(loop_, listen_to_signals(), asio::detached);
        relay_->on_broken = [this](std::string) {
            exit_code_ = config::exit_temporary;
            begin_stop(grace_when_broken);
        };
        relay_->read_settings = [this] {
            auto fresh = config::reload_program(program_, config::Part::relay);
            if (fresh) fresh = within_descriptors(std::move(*fresh));
            return fresh;
        };
        relay_->wake = [this](const std::vector<std::string>& command) {
            wake_.run(command);
        };
        relay_->start();
        auto const reachable = open_desks();
        if (!reachable) {
            log_.error("relay.cannot-start", {{"why", reachable.error().detail}});
            exit_code_ = config::exit_temporary;
            begin_stop(grace_when_broken);
        }
        log_.info("relay.started",
                  {{"version", config::version()},
                   {"hostname", program_.settings->relay.hostname},
                   {"spool", program_.settings->relay.spool.directory},
                   {"pid", getpid()}});
        notify_manager("READY=1");
        loop_.run();
        http_.reset();
        control_.reset();
        relay_.reset();
        spool_.reset();
        log_.info("relay.stopped", {{"exit", exit_code_}});
        return exit_code_;
    }

  private:
    Result<void> prepare() {
        auto const& settings = program_.settings->relay;
        for (auto const& warning : program_.warnings) {
            log_.warning("settings.warning", {{"what", warning}});
        }
        if (geteuid() == 0) {
            log_.warning("relay.runs-as-root",
                         {{"next",
                           "run it as the user millrace: systemd's unit does, or setpriv --reuid "
                           "millrace"}});
        }
        descriptors_ = raise_descriptor_limit();
        for (auto const& listener : settings.listeners) {
            auto context = std::make_unique<TlsContext>();
            if (!listener.certificate.empty()) {
                auto const loaded = context->load({listener.certificate, listener.key, {}});
                if (!loaded) {
                    return std::unexpected(loaded.error());
                }
            }
            network_.certificate({asio::ip::make_address(listener.address), listener.port},
                                 *context);
            listener_tls_.push_back(std::move(context));
        }
        auto listeners = adopt_or_open(settings);
        if (!listeners) {
            return std::unexpected(listeners.error());
        }

        auto const dns = resolver_settings(settings.dns);
        if (!dns) {
            return std::unexpected(dns.error());
        }
        auto resolver = UnboundResolver::make(loop_.get_executor(), *dns);
        if (!resolver) {
            return std::unexpected(resolver.error());
        }
        resolver_ = std::move(*resolver);

        RocksOptions options;
        options.directory = settings.spool.directory;
        options.free_min = settings.spool.free_min;
        options.reserve = settings.spool.results_reserve;
        auto spool = open_rocks_spool(std::move(options), loop_.get_executor(), clock_, log_);
        if (!spool) {
            return std::unexpected(spool.error());
        }
        spool_ = std::move(*spool);

        relay_ = std::make_unique<Relay>(World{loop_.get_executor(),
                                               clock_,
                                               random_,
                                               network_,
                                               *resolver_,
                                               *spool_,
                                               pool_,
                                               log_,
                                               metrics_},
                                         within_descriptors(program_.settings),
                                         std::move(*listeners));
        return {};
    }

    /// The settings, with no more connections than there are descriptors for.
    config::Snapshot within_descriptors(config::Snapshot settings) {
        auto budget = share_descriptors(descriptors_,
                                        settings->relay.limits.connections,
                                        settings->relay.delivery.connections_total);
        if (budget.warning.empty()) return settings;
        log_.warning("settings.warning", {{"what", budget.warning}});
        auto fewer = std::make_shared<config::Settings>(*settings);
        fewer->relay.limits.connections = budget.sessions;
        fewer->relay.delivery.connections_total = budget.deliveries;
        return fewer;
    }

    /// Sockets we were given come first; what is missing of the settings is opened.
    Result<std::vector<std::unique_ptr<Listener>>> adopt_or_open(const config::Relay& settings) {
        std::vector<std::unique_ptr<Listener>> given;
        for (int const fd : inherited_sockets()) {
            auto listener = network_.adopt(fd);
            if (!listener) {
                return std::unexpected(listener.error());
            }
            given.push_back(std::move(*listener));
        }
        std::vector<std::unique_ptr<Listener>> listeners;
        for (auto const& wanted : settings.listeners) {
            Endpoint const at{asio::ip::make_address(wanted.address), wanted.port};
            auto const mine =
                std::ranges::find_if(given, [&](auto const& l) { return l && l->local() == at; });
            if (mine != given.end()) {
                listeners.push_back(std::move(*mine));
                continue;
            }
            auto opened = network_.listen(at);
            if (!opened) {
                return std::unexpected(opened.error());
            }
            listeners.push_back(std::move(*opened));
        }
        for (auto const& left : given) {
            if (left) {
                log_.warning("relay.unknown-socket",
                             {{"address", left->local().text()},
                              {"next",
                               "give it a listener in the configuration, or take it out of the "
                               "socket unit"}});
            }
        }
        return listeners;
    }

    Task<void> listen_to_signals() {
        while (true) {
            auto const signal = co_await signals_.async_wait(asio::use_awaitable);
            if (signal == SIGHUP) {
                notify_manager("RELOADING=1");
                reload_certificates();
                relay_->reopen_logs();
                auto const reloaded = co_await relay_->operations().reload();
                if (!reloaded) {
                    log_.error("settings.refused", {{"why", reloaded.error().detail}});
                }
                notify_manager("READY=1");
                continue;
            }
            if (stopping_) {
                std::_Exit(128 + signal);
            }  // asked twice: everything acknowledged is on disk
            begin_stop(grace);
        }
    }

    void reload_certificates() {
        auto const& listeners = program_.settings->relay.listeners;
        for (std::size_t i = 0; i < listeners.size() && i < listener_tls_.size(); ++i) {
            if (listeners[i].certificate.empty()) {
                continue;
            }
            auto const loaded =
                listener_tls_[i]->load({listeners[i].certificate, listeners[i].key, {}});
            if (!loaded) {
                log_.error(
                    "tls.certificate-refused",
                    {{"why", loaded.error().detail}, {"next", "the old one stays in force"}});
            }
        }
    }

    void begin_stop(Duration time) {
        if (std::exchange(stopping_, true)) {
            return;
        }
        notify_manager("STOPPING=1");
        log_.info("relay.stopping", {{"grace", to_human(time)}});
        asio::co_spawn(loop_, stop(time), asio::detached);
    }

    /// Where people and monitoring ask.
    Result<void> open_desks() {
        auto const& settings = program_.settings->relay;
        control_ = std::make_unique<ControlServer>(
            ControlServer::Parts{loop_.get_executor(), clock_, relay_->operations(), log_});
        auto const opened = control_->open(settings.control_socket);
        if (!opened) {
            control_.reset();
            return opened;
        }
        if (settings.http.port == 0) {
            return {};
        }
        http_ = std::make_unique<HttpServer>(HttpServer::Parts{
            loop_.get_executor(), relay_->operations(), metrics_, log_, settings.http.hosts});
        auto const at = Endpoint{asio::ip::make_address(settings.http.address), settings.http.port};
        auto const listening = http_->open(at);
        if (!listening) {
            http_.reset();
        }
        return listening;
    }

    Task<void> stop(Duration time) {
        if (http_) {
            co_await http_->stop();
        }
        if (control_) {
            co_await control_->stop();
        }
        co_await relay_->stop(clock_.now() + time);
        co_await wake_.stop();
        signals_.cancel();
        loop_.stop();
    }

    const config::Program& program_;
    asio::io_context loop_{1};
    DescriptorLog log_;
    AsioClock clock_;
    TlsContext client_tls_;
    std::vector<std::unique_ptr<TlsContext>> listener_tls_;
    AsioNetwork network_;
    ThreadWorkPool pool_;
    SeededRandom random_;
    Metrics metrics_;
    asio::signal_set signals_;
    Errand wake_;
    std::unique_ptr<UnboundResolver> resolver_;
    std::unique_ptr<Spool> spool_;
    std::unique_ptr<Relay> relay_;
    std::unique_ptr<ControlServer> control_;
    std::unique_ptr<HttpServer> http_;
    std::uint64_t descriptors_ = 0;  ///< that the system allows
    bool stopping_ = false;
    int exit_code_ = config::exit_done;
};

}  // namespace

int run_daemon(const config::Program& program) {
    std::signal(SIGPIPE, SIG_IGN);
    umask(0027);
    Daemon daemon(program);
    return daemon.run();
}

}  // namespace millrace::relay
