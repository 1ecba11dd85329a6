#include "relay/api/control_server.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <list>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>

#include "common/net/task_group.hpp"
#include "relay/api/control_commands.hpp"
#include "relay/api/control_json.hpp"

namespace millrace::relay {
namespace {

using Protocol = asio::local::stream_protocol;
using Socket = Protocol::socket;

constexpr std::size_t clients_max = 64;
constexpr std::size_t line_max = 64 << 10;
constexpr Duration patience = std::chrono::seconds(60);  // for a request, and for reading an answer
constexpr mode_t folder_mode = 0750;
constexpr mode_t socket_mode = 0660;

std::string peer_of(Socket& socket) {
    ucred credentials = {};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
        return "unknown";
    }
    return fmt::format("uid {}", credentials.uid);
}

std::unexpected<Failure> unusable(const std::string& path, const std::string& why) {
    return failure(Fault::unavailable, fmt::format("the control socket {}: {}", path, why));
}

/// Makes room for our socket, unless somebody lives there.
Result<void> clear(asio::any_io_executor executor, const std::string& path) {
    std::error_code error;
    auto const folder = std::filesystem::path(path).parent_path();
    if (!folder.empty() && !std::filesystem::exists(folder, error)) {
        std::filesystem::create_directories(folder, error);
        if (error) {
            return unusable(path,
                            fmt::format("{} cannot be made: {}", folder.string(), error.message()));
        }
        ::chmod(folder.c_str(), folder_mode);
    }
    struct stat status = {};
    if (::lstat(path.c_str(), &status) != 0) {
        return {};
    }
    if (!S_ISSOCK(status.st_mode)) {
        return unusable(path, "there is a file of that name that is no socket");
    }
    Socket probe(executor);
    boost::system::error_code refused;
    probe.connect(Protocol::endpoint(path), refused);
    if (!refused) {
        return unusable(path, "another relay answers there; stop it, or set relay.control.socket");
    }
    if (::unlink(path.c_str()) != 0) {
        return unusable(path, fmt::format("cannot be replaced: {}", std::strerror(errno)));
    }
    return {};
}

}  // namespace

class ControlServer::Server {
  public:
    explicit Server(Parts parts)
        : parts_(std::move(parts)),
          acceptor_(parts_.executor),
          tasks_(parts_.executor, parts_.log, "control") {}

    Result<void> open(const std::string& path) {
        if (auto cleared = clear(parts_.executor, path); !cleared) {
            return cleared;
        }
        boost::system::error_code error;
        acceptor_.open(Protocol(), error);
        if (!error) {
            // Before bind: at no moment may others connect.
            ::fchmod(acceptor_.native_handle(), socket_mode);
            acceptor_.bind(Protocol::endpoint(path), error);
        }
        if (!error) {
            acceptor_.listen(static_cast<int>(clients_max), error);
        }
        if (error) {
            acceptor_.close();
            return unusable(path, error.message());
        }
        ::chmod(path.c_str(), socket_mode);  // the umask may have narrowed it
        path_ = path;
        tasks_.spawn(accept());
        tasks_.spawn(send_silent_ones_away());
        return {};
    }

    Task<void> stop() {
        if (acceptor_.is_open()) {
            ::unlink(path_.c_str());
            acceptor_.close();
        }
        for (auto& connection : connections_) {
            connection.socket.close();
        }
        tasks_.stop();
        co_await tasks_.drained();
    }

  private:
    struct Connection final : ControlSink {
        Connection(Socket s, Clock& c) : socket(std::move(s)), clock(c) {}
        Task<bool> send(std::string line) override {
            line += '\n';
            deadline = clock.now() + patience;
            boost::system::error_code error;
            co_await asio::async_write(
                socket, asio::buffer(line), asio::redirect_error(asio::use_awaitable, error));
            deadline = never;  // what comes between two lines is our time, not the client's
            co_return !error;
        }
        Socket socket;
        Clock& clock;
        Time deadline = never;
    };

    Task<void> accept() {
        while (acceptor_.is_open()) {
            boost::system::error_code error;
            Socket socket(parts_.executor);
            co_await acceptor_.async_accept(socket,
                                            asio::redirect_error(asio::use_awaitable, error));
            if (!acceptor_.is_open()) {
                co_return;
            }
            if (error) {
                parts_.log.warning("control.accept", {{"why", error.message()}});
                co_await parts_.clock.sleep(std::chrono::milliseconds(100));
                continue;
            }
            auto const connection =
                connections_.emplace(connections_.end(), std::move(socket), parts_.clock);
            tasks_.spawn(converse(connection));
        }
    }

    Task<void> converse(std::list<Connection>::iterator connection) {
        // Whatever ends this conversation, its entry goes with it.
        struct Leave {
            std::list<Connection>& all;
            std::list<Connection>::iterator one;
            ~Leave() { all.erase(one); }
        };
        Leave const leave{connections_, connection};
        if (connections_.size() > clients_max) {
            Failure const crowded{Fault::unavailable, "too many clients; try again in a moment"};
            co_await connection->send(control_error(crowded));
            co_return;
        }
        ControlCommands commands(
            parts_.operations, parts_.clock, parts_.log, peer_of(connection->socket));
        std::string input;
        while (true) {
            auto const end = input.find('\n');
            if (end != std::string::npos) {
                auto line = input.substr(0, end);
                input.erase(0, end + 1);
                bool const goes_on = co_await commands.answer(std::move(line), *connection);
                if (!goes_on) {
                    co_return;
                }
                continue;
            }
            if (input.size() > line_max) {
                Failure const long_line{Fault::invalid, "the request is longer than 64 KiB"};
                co_await connection->send(control_error(long_line));
                co_return;
            }
            char buffer[4096];
            boost::system::error_code error;
            connection->deadline = parts_.clock.now() + patience;
            auto const size = co_await connection->socket.async_read_some(
                asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
            connection->deadline = never;
            if (error) {
                co_return;
            }
            input.append(buffer, size);
        }
    }

    Task<void> send_silent_ones_away() {
        while (acceptor_.is_open()) {
            co_await parts_.clock.sleep(std::chrono::seconds(1));
            auto const now = parts_.clock.now();
            for (auto& connection : connections_) {
                if (connection.deadline <= now) {
                    connection.socket.close();
                }
            }
        }
    }

    Parts parts_;
    Protocol::acceptor acceptor_;
    std::string path_;
    std::list<Connection> connections_;
    TaskGroup tasks_;
};

ControlServer::ControlServer(Parts parts) : server_(std::make_unique<Server>(std::move(parts))) {}
ControlServer::~ControlServer() = default;

Result<void> ControlServer::open(const std::string& path) {
    return server_->open(path);
}

Task<void> ControlServer::stop() {
    return server_->stop();
}

}  // namespace millrace::relay
