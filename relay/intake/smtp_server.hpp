#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "common/base/log.hpp"
#include "common/base/metric.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/random.hpp"
#include "common/net/task_group.hpp"
#include "relay/intake/acceptor.hpp"

namespace millrace::relay {

/// What the SMTP side of the relay stands on. Everything outlives the server.
struct IntakeWorld {
    asio::any_io_executor executor;
    Clock& clock;
    Log& log;
    Metrics& metrics;
    Acceptor& acceptor;
};

/// The SMTP server on all listeners: accepts, bounds the number of sessions, runs them.
/// Thread: the loop's.
class SmtpServer {
  public:
    /// listeners: open, one for each of settings->relay.listeners, in order.
    SmtpServer(IntakeWorld world,
               config::Snapshot settings,
               std::vector<std::unique_ptr<Listener>> listeners);
    /// stop() must have returned, unless nothing runs any more.
    ~SmtpServer();
    SmtpServer(const SmtpServer&) = delete;
    SmtpServer& operator=(const SmtpServer&) = delete;

    void start();
    /// Stops accepting at once. Sessions between messages get 421; a message under way may end
    /// until `deadline`, then its connection is closed. Returns when no session is left. Once.
    Task<void> stop(Time deadline);
    /// For sessions that start from now on; listeners stay as they are.
    void configure(config::Snapshot settings);

    std::size_t sessions() const;
    /// Connections of an MTA in front that are kept waiting: for a seat, for room in memory, for
    /// the spool.
    std::size_t waiting() const;

  private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

}  // namespace millrace::relay
