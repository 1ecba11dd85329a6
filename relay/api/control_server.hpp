#pragma once

#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/api/control.hpp"

namespace millrace::relay {

/// The control socket: a Unix socket (0660, in a folder that is made with 0750 when it is missing)
/// on which the `millrace` command asks. One JSON object per line comes in, JSON lines go back (see
/// ControlCommands). Who asks for a change is logged with his uid. At most 64 clients; a line has
/// at most 64 KiB; a silent client is sent away after a minute. Thread: the loop's.
class ControlServer {
  public:
    struct Parts {
        asio::any_io_executor executor;
        Clock& clock;
        Operations& operations;
        Log& log;
    };
    explicit ControlServer(Parts parts);
    ~ControlServer();  ///< stop() comes first
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

    /// Binds and starts to answer. A socket left over by a dead process is replaced.
    /// Failure: unavailable when another process answers there or the path cannot be used.
    Result<void> open(const std::string& path);
    /// Closes all connections, takes the socket away, returns when nothing is under way.
    Task<void> stop();

  private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace millrace::relay
