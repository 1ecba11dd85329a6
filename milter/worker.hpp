#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/log.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"

namespace millrace::milter {

/// The process libmilter runs in, as the supervisor sees it. libmilter ends on SIGHUP and drops its
/// sessions when it ends, so it gets no signals: it is told over a socket.
class Worker {
  public:
    /// Forks. The child serves the listening socket from then on and never returns from here.
    /// Failure (unavailable).
    static Result<Worker> start(int listener,
                                const config::Settings& settings,
                                const Clock& clock,
                                Log& log);

    Worker(Worker&& other) noexcept;
    Worker& operator=(Worker&& other) noexcept;
    ~Worker();

    pid_t pid() const { return pid_; }
    Time started() const { return started_; }
    /// New settings, for messages that begin from now on. False: it is gone.
    bool reload(const config::Settings& settings);
    /// Take no more connections, finish those that are open within `at_most`, end.
    bool drain(Duration at_most);
    /// At once, whatever is under way.
    void kill();

  private:
    Worker(pid_t pid, int control, Time started);
    bool send(char kind, const std::string& payload);
    void close();

    pid_t pid_;
    int control_;
    Time started_;
};

}  // namespace millrace::milter
