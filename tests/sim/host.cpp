#include "tests/sim/host.hpp"

#include <cstdio>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "common/base/check.hpp"

namespace millrace::sim {

using namespace std::chrono_literals;

void SimLog::write(Level level, std::string_view event, std::initializer_list<Field> fields) {
    if (level == Level::error) errors_.insert(std::string(event));
    if (verbose_ && level != Level::debug) {
        std::printf("%s %s\n",
                    to_rfc3339(simulation_.now()).c_str(),
                    format_log_line(event, fields).c_str());
    }
}

/// One life of the relay and of the machine it runs on.
struct RelayHost::Incarnation {
    Incarnation(RelayHost& host, virtual_::Machine& m)
        : machine(m),
          random(host.random_.next()),
          network(host.wires_.plug(m, host.addresses_)),
          resolver(m, random, host.zones_),
          pool(m, random, 3ms) {}

    virtual_::Machine& machine;
    SeededRandom random;
    Network& network;
    virtual_::VirtualResolver resolver;
    virtual_::VirtualWorkPool pool;
    Metrics metrics;
    std::unique_ptr<relay::MemorySpool> spool;
    std::unique_ptr<relay::Relay> relay;
};

RelayHost::RelayHost(virtual_::Simulation& simulation,
                     virtual_::VirtualNetwork& wires,
                     virtual_::VirtualZones& zones,
                     Random& random,
                     config::Snapshot settings,
                     std::vector<Address> addresses,
                     SimLog& log)
    : simulation_(simulation),
      wires_(wires),
      zones_(zones),
      random_(random),
      settings_(std::move(settings)),
      addresses_(std::move(addresses)),
      log_(log) {}

void RelayHost::boot() {
    MILLRACE_CHECK(!running());
    auto& machine = simulation_.machine("relay-" + std::to_string(++boots_));
    now_ = new Incarnation(*this, machine);
    relay::MemorySpool::Options options;
    options.commit_delay = [this, me = now_] {
        const auto most = static_cast<std::uint64_t>(slowest_sync.count());
        return Duration(me->random.below(most + 1));
    };
    now_->spool = std::make_unique<relay::MemorySpool>(
        disk_, machine.executor(), machine, log_, std::move(options));
    auto listeners = relay::open_listeners(now_->network, settings_->relay);
    MILLRACE_CHECK(listeners.has_value());
    const relay::World world{machine.executor(),
                             machine,
                             now_->random,
                             now_->network,
                             now_->resolver,
                             *now_->spool,
                             now_->pool,
                             log_,
                             now_->metrics};
    now_->relay = std::make_unique<relay::Relay>(world, settings_, std::move(*listeners));
    now_->relay->on_broken = [this](const std::string&) {
        if (on_broken) on_broken();
    };
    now_->relay->start();
}

void RelayHost::crash(bool power) {
    MILLRACE_CHECK(running());
    if (power) {
        disk_->crash([this](std::size_t n) { return random_.below(n + 1); });
    }
    now_->machine.crash();
    wires_.crashed(now_->machine, power);
    now_ = nullptr;
}

Task<void> RelayHost::stop_and_go(RelayHost& self, Incarnation& me) {
    co_await me.relay->stop(me.machine.now() + 20s);
    if (self.now_ != &me) co_return;  // killed meanwhile
    me.machine.crash();
    self.wires_.crashed(me.machine, false);
    self.now_ = nullptr;
}

void RelayHost::stop() {
    MILLRACE_CHECK(running());
    asio::co_spawn(now_->machine.executor(), stop_and_go(*this, *now_), asio::detached);
}

std::uint64_t RelayHost::queued() const {
    return running() ? now_->spool->health().queued : 1;
}

}  // namespace millrace::sim
