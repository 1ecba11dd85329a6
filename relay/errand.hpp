#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/task.hpp"

namespace millrace::relay {

/// Runs a command of the operator's in the background, one at a time: no shell, a minimal
/// environment, no descriptors of ours, its own process group, a time limit. How it ended is in the
/// log; what it said too, cut, when it failed. Thread: the loop's.
class Errand {
  public:
    /// name: the setting, for the log. limit: after this it is killed, with all it started.
    Errand(asio::any_io_executor executor,
           Log& log,
           std::string name,
           Duration limit = std::chrono::seconds(30));
    /// stop() must have returned.
    ~Errand();
    Errand(const Errand&) = delete;

    /// command: an absolute path and its arguments. While one runs, the next is run once more when
    /// it has ended; several of these count as one.
    void run(std::vector<std::string> command);
    /// Kills what is still running; returns when it is gone.
    Task<void> stop();

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace millrace::relay
