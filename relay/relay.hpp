#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/log.hpp"
#include "common/base/metric.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/random.hpp"
#include "common/net/resolver.hpp"
#include "common/net/work_pool.hpp"
#include "relay/api/control.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// The world a relay runs in: the machine's, or the simulator's. Everything outlives the relay.
struct World {
    asio::any_io_executor executor;
    Clock& clock;
    Random& random;
    Network& network;
    Resolver& resolver;
    Spool& spool;
    WorkPool& pool;
    Log& log;
    Metrics& metrics;
};

/// The smart host, complete: intake → gate → spool → schedule → deliver → journal. It knows nothing
/// of files, sockets, signals or time but through its World, so the whole of it runs in virtual
/// time from a seed. Thread: the loop's.
class Relay {
  public:
    /// listeners: already open (inherited, or made by open_listeners()), one per configured
    /// listener, in order.
    Relay(World world, config::Snapshot settings, std::vector<std::unique_ptr<Listener>> listeners);
    /// stop() must have returned, unless nothing runs any more (a crash in the simulator).
    ~Relay();
    Relay(const Relay&) = delete;

    /// Serves from the first moment; the backlog is read in the background.
    void start();
    /// Stops accepting at once (421), lets messages under way finish until `deadline`, breaks off
    /// the rest; returns when nothing runs any more. Safe to call once.
    Task<void> stop(Time deadline);
    /// New settings, already checked. Returns what takes effect only after a restart.
    std::vector<std::string> configure(config::Snapshot settings);
    /// The event log was moved away: open it anew.
    void reopen_logs();

    Operations& operations();
    /// Set when the spool cannot be trusted any more: the process must stop and exit. Called once.
    std::function<void(std::string why)> on_broken;
    /// Reads the configuration again, for Operations::reload. Empty: there is no file.
    std::function<Result<config::Snapshot>()> read_settings;
    /// Runs the operator's command (`relay.wake`), in the background. Called whenever mail is taken
    /// again after it was not: by start(), and when a spool that refused mail has room again.
    std::function<void(const std::vector<std::string>& command)> wake;

  private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

/// Opens what the settings ask for. Failure: which one, and who holds the port.
Result<std::vector<std::unique_ptr<Listener>>> open_listeners(Network& network,
                                                              const config::Relay& settings);

}  // namespace millrace::relay
