#include "tests/sim/day.hpp"

#include <algorithm>
#include <cstdio>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "tests/sim/client.hpp"
#include "tests/sim/host.hpp"
#include "tests/sim/ledger.hpp"

namespace millrace::sim {
namespace {

using namespace std::chrono_literals;
using virtual_::Manners;
using virtual_::Moment;
using virtual_::Receiver;

const Address relay_address = asio::ip::make_address("198.51.100.1");
const Address client_address = asio::ip::make_address("198.51.100.2");
/// More addresses of the relay's machine, for days with several sources.
const std::vector<Address> relay_addresses = {relay_address,
                                              asio::ip::make_address("198.51.100.11"),
                                              asio::ip::make_address("198.51.100.12"),
                                              asio::ip::make_address("198.51.100.13")};
constexpr std::uint16_t relay_port = 2525;

Address receiver_address(std::size_t n) {
    return asio::ip::make_address("203.0.113." + std::to_string(n + 1));
}

void print_answers(const Receiver& receiver) {
    for (const Receiver::Answer& answer : receiver.answers()) {
        std::printf("%s %s connection=%llu moment=%d from=%s to=%s: %s%s\n",
                    to_rfc3339(answer.at).c_str(),
                    receiver.name().c_str(),
                    static_cast<unsigned long long>(answer.connection),
                    static_cast<int>(answer.moment),
                    answer.sender.c_str(),
                    answer.recipient.c_str(),
                    answer.reply.c_str(),
                    answer.heard() ? "" : " (unheard)");
    }
}

/// The cast and the weather of one day, all drawn from the seed.
class Day {
  public:
    Day(std::uint64_t seed, bool verbose)
        : verbose_(verbose),
          random_(seed),
          simulation_(from_unix_millis(1'795'000'000'000)),
          log_(simulation_, verbose),
          wires_random_(random_.next()),
          wires_(simulation_, wires_random_),
          settings_(draw_settings()),
          host_(simulation_, wires_, zones_, random_, settings_, relay_addresses, log_) {}

    DayResult run();

  private:
    config::Snapshot draw_settings();
    void build_receivers();
    void draw_sources(config::Relay& relay);
    bool is_ours(const Address& address) const {
        return std::ranges::find(relay_addresses, address) != relay_addresses.end();
    }
    Manners draw_manners();
    void write_messages();
    void arrange_weather(Time from, Time until);
    void arrange_deaths(Time from, Time until);
    void calm();
    void die(bool power);
    void revive();
    void perhaps_die(double chance);
    void watch_connections();

    bool chance(double p) { return random_.unit() < p; }
    Duration between(Duration least, Duration most) {
        return least + Duration(random_.below(static_cast<std::uint64_t>((most - least).count())));
    }
    void at(Time t, virtual_::Simulation::Action what) { simulation_.at(t, std::move(what)); }

    bool verbose_;
    SeededRandom random_;
    virtual_::Simulation simulation_;
    SimLog log_;
    SeededRandom wires_random_;
    virtual_::VirtualNetwork wires_;
    virtual_::VirtualZones zones_;
    config::Snapshot settings_;
    RelayHost host_;
    Ledger ledger_;
    std::vector<std::unique_ptr<Receiver>> receivers_;
    std::vector<std::string> domains_;
    std::map<Address, std::string> site_of_;
    virtual_::Machine* world_ = nullptr;
    Network* client_network_ = nullptr;
    std::size_t clients_left_ = 0;
    bool faults_on_ = true;
    bool disk_failed_ = false;
    unsigned lives_ = 6;
};

config::Snapshot Day::draw_settings() {
    auto settings = std::make_shared<config::Settings>();
    config::Relay& relay = settings->relay;
    relay.hostname = "relay.example";
    config::Listener listener;
    listener.address = relay_address.to_string();
    listener.port = relay_port;
    listener.trusted = {*Network4or6::parse("198.51.100.0/24")};
    relay.listeners = {listener};
    config::Delivery& delivery = relay.delivery;
    delivery.connections_per_site = 1 + static_cast<unsigned>(random_.below(5));
    delivery.messages_per_connection = 1 + static_cast<unsigned>(random_.below(20));
    if (chance(0.4)) delivery.messages_per_second = chance(0.5) ? 0.05 : 0.5;
    if (chance(0.3)) delivery.connections_per_second = 0.2;
    delivery.expire_after = chance(0.4) ? between(2h, 6h) : between(24h, 72h);
    relay.limits.window = chance(0.3) ? 20 : 20'000;  // a small one: refills from disk all day
    if (chance(0.4)) draw_sources(relay);
    settings->gate.message_id_domain = relay.hostname;
    settings->gate.sender = "postmaster@" + relay.hostname;
    return settings;
}

/// Two or three, one of them perhaps new, one perhaps not there.
void Day::draw_sources(config::Relay& relay) {
    const std::size_t count = 2 + random_.below(2);
    const bool cold = chance(0.5);
    for (std::size_t i = 0; i < count; ++i) {
        config::Source source;
        source.address = relay_addresses[1 + i].to_string();
        source.name = "out" + std::to_string(i);
        source.hostname = relay.hostname;
        source.weight = 1 + static_cast<unsigned>(random_.below(3));
        source.warm_up = i == 0 && cold;
        source.warm_up_first = 16;
        source.warm_up_goal = 1'000;
        relay.sources.push_back(source);
    }
    if (!cold && chance(0.3)) {
        relay.sources.back().address = "198.51.100.99";
    }
}

Manners Day::draw_manners() {
    Manners m;
    if (chance(0.3)) m.connections_max = 1 + static_cast<unsigned>(random_.below(3));
    if (chance(0.3)) m.messages_per_connection = 1 + static_cast<unsigned>(random_.below(4));
    if (chance(0.3)) m.messages_per_interval = 2 + static_cast<unsigned>(random_.below(5));
    if (chance(0.2)) {
        m.blocks_after = 1 + static_cast<unsigned>(random_.below(6));
        m.block = between(1h, 6h);
    }
    if (chance(0.25)) m.greylist = between(1min, 20min);
    if (chance(0.15)) m.tarpit = between(1s, 15s);
    if (chance(0.2)) m.recipients_max = 1;
    m.full_is_552 = chance(0.3);
    m.black_hole = chance(0.04);
    m.multiline = chance(0.3);
    m.pipelining = chance(0.7);
    m.starttls = chance(0.5);
    m.starttls_refused = chance(0.1);
    if (chance(0.3)) m.busy = 0.2;
    for (const Moment moment : {Moment::banner,
                                Moment::hello,
                                Moment::starttls,
                                Moment::mail,
                                Moment::recipient,
                                Moment::data,
                                Moment::body,
                                Moment::dot}) {
        if (chance(0.1)) m.drop[moment] = 0.1 + 0.3 * random_.unit();
    }
    if (chance(0.25)) m.drop_taken = 0.2;
    if (chance(0.1)) m.replies[Moment::recipient] = "451 4.3.0 local trouble";
    if (chance(0.05)) m.replies[Moment::dot] = "554 5.7.1 message refused";
    if (chance(0.05)) m.replies[Moment::banner] = "421 4.3.2 not now";
    return m;
}

void Day::build_receivers() {
    world_ = &simulation_.machine("world");
    std::vector<Address> addresses = {client_address};
    const std::size_t sites = 1 + random_.below(6);
    for (std::size_t i = 0; i <= 2 * sites; ++i)
        addresses.push_back(receiver_address(i));
    client_network_ = &wires_.plug(*world_, addresses);
    auto add = [&](std::size_t n, const std::string& host, const std::string& site) -> Receiver& {
        const Endpoint at{receiver_address(n), 25};
        if (chance(0.7)) {
            wires_.certificate(at, {{host}, chance(0.5), chance(0.15)});
        }
        receivers_.push_back(
            std::make_unique<Receiver>(*world_, *client_network_, random_, at, host));
        zones_.names[host].addresses = {at.address};
        zones_.names[host].ttl = between(1min, 60min);
        site_of_[at.address] = site;
        ledger_.sites[site].push_back(receivers_.back().get());
        return *receivers_.back();
    };
    Receiver& home = add(0, "mx.client.example", "client.example");
    ledger_.senders_home = &home;
    zones_.names["client.example"].mx = {{10, "mx.client.example"}};
    for (std::size_t i = 0; i < sites; ++i) {
        const std::string site = "site" + std::to_string(i);
        const bool two = chance(0.3);
        const std::string first = "mx1." + site + ".example", second = "mx2." + site + ".example";
        add(1 + 2 * i, first, site).manners = draw_manners();
        if (two) add(2 + 2 * i, second, site).manners = receivers_.back()->manners;
        for (std::size_t d = 0; d <= random_.below(3); ++d) {  // several domains, one site
            const std::string domain = "d" + std::to_string(d) + "." + site + ".example";
            auto& zone = zones_.names[domain];
            zone.ttl = between(1min, 30min);
            zone.mx = {{10, first}};
            if (two) zone.mx.push_back({20, second});
            domains_.push_back(domain);
        }
    }
    if (chance(0.3)) {
        zones_.add_null_mx("null.example");
        domains_.push_back("null.example");
    }
    if (chance(0.3)) domains_.push_back("nowhere.example");
    if (chance(0.2)) {
        zones_.names["silent.example"].mx = {{10, "mx.silent.example"}};
        zones_.names["mx.silent.example"].addresses = {asio::ip::make_address("203.0.113.250")};
        domains_.push_back("silent.example");
    }
    for (const auto& receiver : receivers_) {
        receiver->on_taken = [this](const Receiver::Taken&) {
            perhaps_die(0.01);
        };
    }
}

void Day::write_messages() {
    const Time start = simulation_.now();
    const std::size_t count = 20 + random_.below(60);
    const Duration span = chance(0.3) ? Duration(20min) : Duration(10h);  // a burst, or a day
    ledger_.sent.resize(count);  // references to its elements are held by the clients
    clients_left_ = count;
    for (std::size_t n = 0; n < count; ++n) {
        Sent& message = ledger_.sent[n];
        message.number = n;
        if (!chance(0.1)) message.sender = sender_address(n);
        const std::size_t recipients = 1 + (chance(0.4) ? random_.below(4) : 0);
        const std::string same = domains_[random_.below(domains_.size())];
        const bool one_domain = chance(0.6);
        for (std::size_t i = 0; i < recipients; ++i) {
            const std::string& domain =
                one_domain ? same : domains_[random_.below(domains_.size())];
            const std::string address =
                "r" + std::to_string(n) + "x" + std::to_string(i) + "@" + domain;
            message.recipients.push_back(address);
            if (chance(0.06)) {
                for (const auto& receiver : receivers_) {
                    receiver->manners.recipients[address] =
                        chance(0.5) ? "550 5.1.1 no such user" : "452 4.2.2 mailbox full";
                }
            }
        }
        const std::size_t lines = 1 + random_.below(chance(0.1) ? 400 : 12);
        for (std::size_t l = 0; l < lines; ++l) {
            message.body += chance(0.1) ? ".dot " : "";
            message.body += "line " + std::to_string(random_.next()) + "\r\n";
        }
        at(start + between(1s, span), [this, &message] {
            auto done = [this] {
                perhaps_die(0.02);
            };
            asio::co_spawn(
                world_->executor(),
                send_message(
                    *world_, *client_network_, Endpoint{relay_address, relay_port}, message, done),
                [this](std::exception_ptr thrown) {
                    if (thrown) ledger_.violated("a client died of an exception");
                    --clients_left_;
                });
        });
    }
}

void Day::arrange_weather(Time from, Time until) {
    virtual_::Conditions bad;
    bad.refuse = chance(0.5) ? 0.05 : 0;
    bad.ignore = chance(0.3) ? 0.05 : 0;
    bad.cut = chance(0.6) ? 0.02 * random_.unit() : 0;
    bad.stall = chance(0.4) ? 0.005 * random_.unit() : 0;
    bad.trickle = chance(0.5) ? 0.2 : 0;
    bad.accept = chance(0.3) ? 0.02 : 0;
    if (chance(0.2)) bad.latency_most = 2s;
    wires_.conditions(bad);
    zones_.servfail = chance(0.4) ? 0.2 * random_.unit() : 0;
    zones_.lost = chance(0.3) ? 0.05 : 0;
    if (chance(0.3)) host_.slowest_sync = between(50ms, 2s);
    if (chance(0.35)) {
        at(from + between(10min, until - from), [this] {
            if (!faults_on_) return;
            simulation_.fault_fired("sync-fails");
            disk_failed_ = true;
            host_.disk().faults.failing_syncs = 1;
        });
    }
    if (chance(0.35)) {
        at(from + between(10min, until - from), [this] {
            if (!faults_on_) return;
            simulation_.fault_fired("short-write");
            disk_failed_ = true;
            host_.disk().faults.short_writes = 1;
        });
    }
    if (chance(0.2)) {
        const Time full = from + between(10min, 8h);
        at(full, [this] {
            simulation_.fault_fired("disk-full");
            host_.disk().capacity = 2000;
            host_.disk().reserve = 1000;
        });
        at(full + between(5min, 1h), [this] { host_.disk().capacity = UINT64_MAX; });
    }
    if (chance(0.3)) {
        const auto victim = random_.below(receivers_.size());
        const Time down = from + between(1min, 6h);
        const Time up = down + between(10min, 5h);
        at(down, [this, victim, bad] {
            simulation_.fault_fired("receiver-down");
            auto worse = bad;
            worse.refuse = 1;
            wires_.conditions(receivers_[victim]->at().address, worse);
        });
        at(up, [this, victim] {
            wires_.conditions(receivers_[victim]->at().address, wires_.conditions_of({}));
        });
    }
}

void Day::arrange_deaths(Time from, Time until) {
    const std::size_t deaths = random_.below(4);
    for (std::size_t i = 0; i < deaths; ++i) {
        at(from + between(1min, until - from), [this] {
            if (host_.running()) die(chance(0.5));
        });
    }
    // A restart in good order, too.
    if (chance(0.4)) {
        at(from + between(10min, until - from), [this] {
            if (!host_.running()) return;
            simulation_.fault_fired("restart");
            host_.stop();
            at(simulation_.now() + 30s, [this] {
                if (!host_.running()) return revive();
                // What a supervisor does. A full disk keeps results from being written: an excuse.
                if (host_.disk().capacity == UINT64_MAX) {
                    ledger_.violated("restart: still running 30 s after it was asked to stop");
                }
                die(false);
            });
        });
    }
    host_.on_broken = [this] {
        simulation_.fault_fired("spool-broken");
        at(simulation_.now() + 100ms, [this] {
            if (host_.running()) die(false);
        });
    };
}

void Day::perhaps_die(double p) {
    if (!faults_on_ || lives_ == 0 || !host_.running() || !chance(p)) return;
    // Within the next moments: before or after whatever the relay does about what just happened.
    at(simulation_.now() + Duration(random_.below(100'000'000)), [this] {
        if (host_.running()) die(true);
    });
}

void Day::die(bool power) {
    if (lives_ == 0 && faults_on_) power = false;
    if (lives_ > 0) --lives_;
    simulation_.fault_fired(power ? "power-cut" : "kill");
    ledger_.deaths.push_back({simulation_.now(), power});
    host_.crash(power);
    host_.disk().faults = {};
    ledger_.check_custody(host_.disk().durable());
    at(simulation_.now() + between(1s, 3min), [this] { revive(); });
}

void Day::revive() {
    if (!host_.running()) host_.boot();
}

void Day::watch_connections() {
    wires_.on_opened = [this](const virtual_::ConnectionFact& fact) {
        if (is_ours(fact.from.address)) {
            ledger_.opened(site_of_.at(fact.to.address), fact.from.address, simulation_.now());
            ledger_.sources[fact.id] = fact.from.address;
        }
    };
    wires_.on_closed = [this](const virtual_::ConnectionFact& fact) {
        if (is_ours(fact.from.address)) {
            ledger_.closed(
                site_of_.at(fact.to.address), fact.from.address, fact.id, simulation_.now());
        }
    };
}

void Day::calm() {
    faults_on_ = false;
    wires_.conditions(virtual_::Conditions{});
    for (const auto& receiver : receivers_) {
        wires_.conditions(receiver->at().address, virtual_::Conditions{});
        Manners& m = receiver->manners;
        Manners kind;
        kind.greylist = m.greylist;
        kind.multiline = m.multiline;
        kind.pipelining = m.pipelining;
        kind.recipients = m.recipients;
        m = kind;
    }
    zones_.servfail = zones_.lost = 0;
    host_.disk().faults = {};
    host_.disk().capacity = UINT64_MAX;
    host_.slowest_sync = 20ms;
}

DayResult Day::run() {
    const Time start = simulation_.now();
    const config::Delivery& delivery = settings_->relay.delivery;
    Promises& promises = ledger_.promises;
    promises.connections_per_site = delivery.connections_per_site;
    promises.messages_per_second = delivery.messages_per_second;
    promises.retry = delivery.retry;
    promises.expire_after = delivery.expire_after;
    promises.sources = std::max(1U, static_cast<unsigned>(settings_->relay.sources.size()));
    for (const config::Source& source : settings_->relay.sources) {
        if (source.warm_up) {
            promises.warm_up = asio::ip::make_address(source.address);
            promises.warm_up_first = source.warm_up_first;
        }
    }
    build_receivers();
    watch_connections();
    const Time storm_ends = start + 12h;
    host_.boot();
    write_messages();
    arrange_weather(start, storm_ends);
    arrange_deaths(start, storm_ends);
    simulation_.run_until(storm_ends);
    calm();

    // From here on: the longest step of the schedule with its jitter, greylisting, outage pauses.
    // Addresses that always say 452 wait for their expiry.
    // What a new source was tried for waits for its turn there.
    const Time limit = storm_ends + std::max<Duration>(12h, delivery.expire_after + 6h) +
                       (promises.warm_up ? Duration(96h) : Duration::zero());
    const auto drained = [this] {
        return clients_left_ == 0 && host_.queued() == 0;
    };
    simulation_.run_until(drained, limit);

    if (verbose_) {
        for (const auto& receiver : receivers_)
            print_answers(*receiver);
    }
    DayResult result;
    const relay::MemoryState disk = host_.disk().durable();
    ledger_.check_outcomes(disk);
    ledger_.check_manners();
    if (clients_left_ != 0) ledger_.violated("liveness: a client is still waiting");
    for (const std::string& error : log_.errors()) {
        const bool expected =
            disk_failed_ && (error == "spool.broken" || error.starts_with("spool."));
        if (!expected) ledger_.violated("error in the log: " + error);
    }
    result.hours = static_cast<std::uint64_t>((simulation_.now() - start) / 1h);
    result.faults = simulation_.faults();
    for (const Sent& message : ledger_.sent) {
        result.accepted += message.fate == Sent::Fate::accepted;
        result.refused += message.fate == Sent::Fate::refused;
        result.unknown += message.fate == Sent::Fate::unknown;
        simulation_.trace(message.queue_id);
    }
    for (const auto& receiver : receivers_)
        result.taken += receiver->taken().size();
    result.hash = simulation_.trace_hash();
    result.excused_duplicates = ledger_.excused_duplicates;
    result.violations = ledger_.violations;
    return result;
}

}  // namespace

DayResult run_day(std::uint64_t seed, bool verbose) {
    // Never destroyed: crashed machines leave coroutines behind that refer to it, as kill -9 would.
    // The caller is a process of its own for a few seeds.
    Day* const day = new Day(seed, verbose);
    return day->run();
}

}  // namespace millrace::sim
