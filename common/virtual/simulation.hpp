#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"

namespace millrace::virtual_ {

class Machine;

/// Virtual time: a line of things that will happen, and a jump to the next one whenever nobody can
/// run. Everything that happens goes through here in one order, so a seed replays exactly.
///
/// Machines live as long as the simulation, crashed ones for ever. End a simulation with shutdown()
/// while everything its coroutines refer to (relay, receivers, networks) is still there.
/// Thread: one.
class Simulation {
  public:
    using Action = std::move_only_function<void()>;
    /// Total order: time, then order of arrangement.
    struct TimerId {
        Time at = never;
        std::uint64_t sequence = 0;
        auto operator<=>(const TimerId&) const = default;
    };

    explicit Simulation(Time start);
    ~Simulation();
    Simulation(const Simulation&) = delete;

    Time now() const { return now_; }
    TimerId at(Time t, Action action);
    void cancel(const TimerId& id) { timers_.erase(id); }

    /// A new computer, running.
    Machine& machine(std::string name);

    /// Runs until t has come and nobody can run at t.
    void run_until(Time t);
    /// Runs until `done` holds (asked whenever nobody can run) or `limit` has come.
    /// Returns done().
    bool run_until(const std::function<bool()>& done, Time limit);
    /// Runs until nothing can ever happen again, or `limit` has come.
    void run(Time limit = never);
    /// Drops the coroutines of every machine that has not crashed, and what was still to happen.
    void shutdown();

    /// Takes a fact of the run into the trace hash: equal hashes, equal runs.
    void trace(std::string_view fact);
    std::uint64_t trace_hash() const { return hash_; }
    /// Counts a fault that really happened.
    void fault_fired(std::string_view name) { ++faults_[std::string(name)]; }
    const std::map<std::string, std::uint64_t>& faults() const { return faults_; }

  private:
    bool poll();            ///< lets everybody run; false if nobody could
    bool jump(Time limit);  ///< to the next thing at or before limit

    Time now_;
    std::uint64_t next_sequence_ = 1;
    std::map<TimerId, Action> timers_;
    std::vector<std::unique_ptr<Machine>> machines_;
    std::uint64_t hash_ = 0xcbf29ce484222325;
    std::map<std::string, std::uint64_t> faults_;
};

}  // namespace millrace::virtual_
