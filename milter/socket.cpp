#include "milter/socket.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

namespace millrace::milter {
namespace {

constexpr int backlog = 4096;
constexpr std::string_view new_suffix = ".new";

std::uint64_t inode_of(const std::string& path) {
    struct stat status = {};
    return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// Whether somebody answers behind the path.
bool is_alive(const std::string& path) {
    const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_un address = address_of(path);
    const int result =
        ::connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const bool alive = result == 0 || errno == EAGAIN;  // EAGAIN: alive, and its queue is full
    ::close(probe);
    return alive;
}

std::string advice(int error, const std::string& path) {
    const std::string folder = path.substr(0, path.rfind('/'));
    switch (error) {
        case ENOENT:
            return fmt::format(
                "the folder {0} is not there. Make it: install -d -m 2750 -o millrace -g postfix "
                "{0}. A Postfix whose smtpd runs in a chroot (Debian's default) finds the socket "
                "only below its queue directory: unix:/var/spool/postfix/millrace/milter.sock",
                folder);
        case EACCES:
        case EPERM:
            return fmt::format(
                "no permission in {0}. Give it to the user that runs millrace-milter: install -d "
                "-m 2750 -o millrace -g postfix {0}",
                folder);
        default:
            return std::strerror(error);
    }
}

Result<int> listen_on_path(const std::string& path) {
    // First under another name: whoever finds the socket at its path can connect.
    const std::string fresh = path + std::string(new_suffix);
    if (fresh.size() >= sizeof(sockaddr_un::sun_path)) {
        return failure(Fault::invalid, fmt::format("unix:{}: the path is too long", path));
    }
    struct stat status = {};
    if (::lstat(path.c_str(), &status) == 0) {
        if (!S_ISSOCK(status.st_mode)) {
            return failure(Fault::invalid,
                           fmt::format("{} is there and no socket: move it away", path));
        }
        if (is_alive(path)) {
            return failure(Fault::unavailable,
                           fmt::format("{} is in use: another milter answers there", path));
        }
    }
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_un address = address_of(fresh);
    ::unlink(fresh.c_str());
    const mode_t before = ::umask(0117);
    const int bound = ::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int bind_error = errno;
    ::umask(before);
    if (bound != 0 || ::listen(made, backlog) != 0 || ::rename(fresh.c_str(), path.c_str()) != 0) {
        const int error = bound != 0 ? bind_error : errno;
        ::close(made);
        return failure(Fault::invalid,
                       fmt::format("cannot listen on unix:{}: {}", path, advice(error, path)));
    }
    return made;
}

Result<int> listen_on_port(const SocketName& name) {
    addrinfo hints = {};
    hints.ai_family = name.kind == SocketName::Kind::inet6 ? AF_INET6 : AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE;
    addrinfo* found = nullptr;
    const int looked =
        ::getaddrinfo(name.host.c_str(), std::to_string(name.port).c_str(), &hints, &found);
    if (looked != 0) {
        return failure(
            Fault::invalid,
            fmt::format("{}: the host cannot be found: {}", name.text(), ::gai_strerror(looked)));
    }
    const int made = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool listening = made >= 0 && ::bind(made, found->ai_addr, found->ai_addrlen) == 0 &&
                           ::listen(made, backlog) == 0;
    const int error = errno;
    ::freeaddrinfo(found);
    if (!listening) {
        ::close(made);
        return failure(error == EADDRINUSE ? Fault::unavailable : Fault::invalid,
                       fmt::format("cannot listen on {}: {}",
                                   name.text(),
                                   error == EADDRINUSE ? "the port is taken by another program"
                                                       : std::strerror(error)));
    }
    return made;
}

}  // namespace

Result<SocketName> SocketName::parse(std::string_view text) {
    const auto wrong = [&] {
        return failure(Fault::invalid,
                       fmt::format("milter socket \"{}\": write unix:/path, inet:PORT@HOST or "
                                   "inet6:PORT@HOST",
                                   text));
    };
    SocketName name;
    if (text.starts_with("unix:") || text.starts_with("local:")) {
        name.path = text.substr(text.find(':') + 1);
        return name.path.starts_with('/') ? Result<SocketName>(name) : wrong();
    }
    const bool v6 = text.starts_with("inet6:");
    if (!v6 && !text.starts_with("inet:")) {
        return wrong();
    }
    name.kind = v6 ? Kind::inet6 : Kind::inet;
    text.remove_prefix(v6 ? 6 : 5);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), name.port);
    std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
    if (error != std::errc() || name.port == 0 ||
        (!rest.empty() && (rest.size() < 2 || rest.front() != '@'))) {
        return wrong();
    }
    name.host = rest.empty() ? (v6 ? "::1" : "127.0.0.1") : std::string(rest.substr(1));
    return name;
}

std::string SocketName::text() const {
    switch (kind) {
        case Kind::unix_path:
            return "unix:" + path;
        case Kind::inet:
            return fmt::format("inet:{}@{}", port, host);
        case Kind::inet6:
            break;
    }
    return fmt::format("inet6:{}@{}", port, host);
}

Result<Listener> Listener::open(const SocketName& name) {
    const bool is_path = name.kind == SocketName::Kind::unix_path;
    auto made = is_path ? listen_on_path(name.path) : listen_on_port(name);
    if (!made) {
        return std::unexpected(made.error());
    }
    return Listener(*made, is_path ? name.path : std::string());
}

std::optional<Listener> Listener::inherited() {
    constexpr int first = 3;  // SD_LISTEN_FDS_START
    const char* pid = std::getenv("LISTEN_PID");
    const char* count = std::getenv("LISTEN_FDS");
    if (pid == nullptr || count == nullptr || std::to_string(::getpid()) != pid ||
        std::atoi(count) < 1) {
        return std::nullopt;
    }
    ::fcntl(first, F_SETFD, FD_CLOEXEC);
    ::fcntl(first, F_SETFL, ::fcntl(first, F_GETFL) | O_NONBLOCK);
    return Listener(first, "");
}

Listener::Listener(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)) {
    if (!path_.empty()) {
        inode_ = inode_of(path_);
    }
}

Listener::Listener(Listener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::exchange(other.path_, {})),
      inode_(other.inode_) {}

Listener& Listener::operator=(Listener&& other) noexcept {
    close();
    descriptor_ = std::exchange(other.descriptor_, -1);
    path_ = std::exchange(other.path_, {});
    inode_ = other.inode_;
    return *this;
}

Listener::~Listener() {
    close();
}

void Listener::close() {
    if (descriptor_ < 0) {
        return;
    }
    if (!path_.empty() && inode_of(path_) == inode_) {
        ::unlink(path_.c_str());
    }
    ::close(descriptor_);
    descriptor_ = -1;
}

}  // namespace millrace::milter
