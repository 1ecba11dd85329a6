#pragma once

#include <list>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "common/base/log.hpp"
#include "common/net/signal.hpp"
#include "common/net/task.hpp"

namespace millrace {

/// Conversations that belong together: every coroutine that nobody awaits is spawned into a group,
/// so that it can be stopped and waited for. An exception ends only the conversation that threw it
/// and is logged
/// (`task.failed`), except the cancellation itself.
/// Thread: the loop's.
class TaskGroup {
  public:
    /// name: for the log.
    TaskGroup(asio::any_io_executor executor, Log& log, std::string name);
    /// The group must be empty: stop() and drained() come first.
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// After stop() the work is dropped unstarted.
    void spawn(Task<void> work);
    /// Ends waits on the clock and on signals at once; whoever waits for a stream is ended by
    /// closing that stream, whoever waits for the spool or the pool goes on until the answer is
    /// there.
    void stop();
    /// Returns when no conversation is left. One waiter at a time.
    Task<void> drained();

    std::size_t size() const { return running_.size(); }
    bool stopping() const { return stopping_; }

  private:
    asio::any_io_executor executor_;
    Log& log_;
    std::string name_;
    std::list<asio::cancellation_signal> running_;
    Signal changed_;
    bool stopping_ = false;
};

}  // namespace millrace
