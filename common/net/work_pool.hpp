#pragma once

#include <functional>

#include "common/net/task.hpp"

namespace millrace {

/// Runs what blocks or burns (synced writes, RSA) away from the loop.
class WorkPool {
  public:
    virtual ~WorkPool() = default;
    /// Runs job on a pool thread and resumes the caller on its own executor afterwards.
    /// The job must not throw. Not cancellable: what was started is finished (the waiter stays).
    /// Bounded: when more than the pool's limit wait, the caller waits before its job is queued.
    virtual Task<void> run(std::function<void()> job) = 0;
};

}  // namespace millrace
