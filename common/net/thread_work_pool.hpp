#pragma once

#include <boost/asio/thread_pool.hpp>

#include "common/net/work_pool.hpp"

namespace millrace {

/// A few threads for synced writes and signatures. Every caller waits for its own job, so the queue
/// is never longer than the number of waiting conversations, which their owners bound.
/// Thread: run() any; the destructor waits for all jobs and wants the callers' loops still alive.
class ThreadWorkPool final : public WorkPool {
  public:
    explicit ThreadWorkPool(unsigned threads);
    ~ThreadWorkPool() override;
    Task<void> run(std::function<void()> job) override;

  private:
    asio::thread_pool threads_;
};

}  // namespace millrace
