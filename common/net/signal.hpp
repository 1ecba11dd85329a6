#pragma once

#include <functional>

#include <boost/asio/any_io_executor.hpp>

#include "common/net/task.hpp"

namespace millrace {

/// Wakes one waiting coroutine. A notification with nobody waiting is kept for the next wait;
/// several count as one. Thread: the loop's.
class Signal {
  public:
    explicit Signal(asio::any_io_executor executor) : executor_(std::move(executor)) {}
    Signal(const Signal&) = delete;
    Signal& operator=(const Signal&) = delete;

    void notify();
    /// One waiter at a time. Cancelled: throws system_error(operation_aborted), as Asio operations
    /// do.
    Task<void> wait();

  private:
    asio::any_io_executor executor_;
    std::function<void(bool cancelled)> waiter_;
    bool pending_ = false;
};

}  // namespace millrace
