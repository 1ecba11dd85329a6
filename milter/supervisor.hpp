#pragma once

#include <optional>
#include <vector>

#include "common/config/program.hpp"
#include "common/net/clock.hpp"
#include "milter/socket.hpp"
#include "milter/worker.hpp"

namespace millrace::milter {

/// Owns the listening socket and the signals, and keeps one worker process serving. While a worker
/// is replaced, connections wait in the socket's queue: an MTA never sees us away.
///   SIGHUP: reads and checks the configuration again; a bad one leaves the old in force.
///   SIGTERM, SIGINT: lets running messages finish (milter.drain), then ends.
class Supervisor {
  public:
    Supervisor(config::Program program, const Clock& clock, Log& log);

    /// Until told to end. Returns the exit code.
    int run();

  private:
    struct Leaving {
        Worker worker;
        Time deadline;
    };

    Result<void> open();
    void start_worker();
    void on_signal(int descriptor);
    void reload();
    void refuse_reload(const Failure& reason);
    void move_to(config::Snapshot settings);
    void retire(std::optional<Worker>& worker);
    void reap();
    void on_worker_end(int status);
    void stop();
    void kill_overdue();
    int wait_milliseconds() const;

    config::Program program_;
    const Clock& clock_;
    Log& log_;
    std::optional<Listener> listener_;
    bool inherited_ = false;  ///< the socket is systemd's
    std::optional<Worker> worker_;
    std::vector<Leaving> leaving_;
    bool stopping_ = false;
    Time restart_at_ = never;
    Duration restart_delay_{};
};

}  // namespace millrace::milter
