#pragma once

#include <memory>
#include <set>

#include "common/virtual/network.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "relay/relay.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::sim {

/// Counts errors by name; prints lines when asked to.
class SimLog final : public Log {
  public:
    SimLog(virtual_::Simulation& simulation, bool verbose)
        : simulation_(simulation), verbose_(verbose) {}
    void write(Level level, std::string_view event, std::initializer_list<Field> fields) override;
    const std::set<std::string>& errors() const { return errors_; }

  private:
    virtual_::Simulation& simulation_;
    bool verbose_;
    std::set<std::string> errors_;
};

/// A computer with a relay on it that is killed, cut off from power, restarted.
class RelayHost {
  public:
    RelayHost(virtual_::Simulation& simulation,
              virtual_::VirtualNetwork& wires,
              virtual_::VirtualZones& zones,
              Random& random,
              config::Snapshot settings,
              std::vector<Address> addresses,
              SimLog& log);

    void boot();
    /// In the middle of whatever it does; power: what was not synced is gone.
    void crash(bool power);
    /// As systemctl restart would: ends what is under way. Done when running() is false.
    void stop();
    bool running() const { return now_ != nullptr; }

    relay::MemoryDisk& disk() { return *disk_; }
    /// How long a sync takes at most.
    Duration slowest_sync = std::chrono::milliseconds(20);
    /// The spool broke: the program exits.
    std::function<void()> on_broken;
    std::uint64_t queued() const;

  private:
    struct Incarnation;
    static Task<void> stop_and_go(RelayHost& self, Incarnation& me);

    virtual_::Simulation& simulation_;
    virtual_::VirtualNetwork& wires_;
    virtual_::VirtualZones& zones_;
    Random& random_;
    config::Snapshot settings_;
    std::vector<Address> addresses_;  ///< the first one takes mail
    SimLog& log_;
    std::shared_ptr<relay::MemoryDisk> disk_ = std::make_shared<relay::MemoryDisk>();
    Incarnation* now_ = nullptr;  ///< never destroyed: kill -9 runs no destructors
    unsigned boots_ = 0;
};

}  // namespace millrace::sim
