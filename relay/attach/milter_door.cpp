#include "relay/attach/milter_door.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/time.hpp"
#include "common/net/asio_clock.hpp"
#include "relay/attach/program.hpp"
#include "relay/attach/record.hpp"

namespace millrace::attach {
namespace {

constexpr Duration moving = std::chrono::seconds(10);
constexpr int poll_milliseconds = 50;
constexpr time_t connect_seconds = 5;

/// A connected socket, or -1 with errno.
int connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    path.copy(address.sun_path, path.size());
    int const descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A listener that is stuck has a full backlog, and connect() would wait for ever.
    timeval const longest{connect_seconds, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    if (descriptor >= 0 &&
        ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        auto const reason = errno;
        ::close(descriptor);
        errno = reason;
        return -1;
    }
    return descriptor;
}

std::string first_line_of(const std::string& file) {
    std::ifstream in(file);
    std::string line;
    std::getline(in, line);
    return line;
}

/// libmilter listens in a worker; it is its parent that takes signals.
pid_t supervisor_of(pid_t pid) {
    auto const name = first_line_of(fmt::format("/proc/{}/comm", pid));
    auto const stat = first_line_of(fmt::format("/proc/{}/stat", pid));
    // `pid (name) state parent …`
    std::istringstream words(stat.substr(std::min(stat.rfind(')') + 1, stat.size())));
    std::string state;
    pid_t parent = 0;
    words >> state >> parent;
    bool const worker =
        parent > 1 && !name.empty() && first_line_of(fmt::format("/proc/{}/comm", parent)) == name;
    return worker ? parent : pid;
}

bool is_unit(pid_t pid) {
    return pid == 1 ||
           first_line_of(fmt::format("/proc/{}/cgroup", pid)).ends_with("/millrace-milter.service");
}

Result<void> systemctl(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "systemctl");
    auto const done = output_of(arguments, std::chrono::seconds(60));
    return done ? Result<void>() : std::unexpected(done.error());
}

Result<void> restart_units() {
    if (auto done = systemctl({"daemon-reload"}); !done) {
        return done;
    }
    return systemctl({"restart", "millrace-milter.socket", "millrace-milter.service"});
}

Result<void> wait_for(const std::string& path) {
    AsioClock const clock;
    for (auto const deadline = clock.now() + moving; clock.now() < deadline;) {
        if (knock(path)) {
            return {};
        }
        ::poll(nullptr, 0, poll_milliseconds);
    }
    return failure(Fault::refused,
                   fmt::format("the milter does not answer at {}; its log says why "
                               "(journalctl -u millrace-milter)",
                               path));
}

/// In the child: 0, or why the socket is out of reach.
int try_as(const passwd& who, const std::string& queue, const std::string& path, bool chrooted) {
    if (::initgroups(who.pw_name, who.pw_gid) != 0) {
        return errno;
    }
    if ((chrooted ? ::chroot(queue.c_str()) : 0) != 0 ||
        ::chdir(chrooted ? "/" : queue.c_str()) != 0 || ::setgid(who.pw_gid) != 0 ||
        ::setuid(who.pw_uid) != 0) {
        return errno;
    }
    return connect_to(path) < 0 ? errno : 0;
}

}  // namespace

Result<MilterDoor> knock(const std::string& path) {
    int const descriptor = connect_to(path);
    if (descriptor < 0) {
        return failure(Fault::refused,
                       fmt::format("millrace-milter does not answer at {} ({}): start it "
                                   "(systemctl start millrace-milter), then again",
                                   path,
                                   std::strerror(errno)));
    }
    ucred peer{};
    socklen_t size = sizeof peer;
    bool const known = ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
    ::close(descriptor);
    if (!known || peer.pid <= 0) {
        return failure(Fault::unavailable,
                       fmt::format("who listens at {} cannot be told; in a container, run attach "
                                   "where the milter runs",
                                   path));
    }
    MilterDoor door{supervisor_of(peer.pid), peer.uid, peer.gid, is_unit(peer.pid)};
    if (peer.pid == 1) {  // the socket unit, whose service has not been needed yet
        if (auto const* const user = ::getpwnam("millrace")) {
            door.user = user->pw_uid;
            door.group = user->pw_gid;
        }
    }
    return door;
}

Result<void> move_milter(const MilterDoor& door,
                         const std::string& path,
                         const std::string& drop_in,
                         const std::string& group) {
    if (door.by_systemd) {
        std::error_code error;
        std::filesystem::create_directories(std::filesystem::path(drop_in).parent_path(), error);
        auto const text = fmt::format(
            "# Written by `millrace attach`: where Postfix's chroot sees the socket.\n"
            "[Socket]\nListenStream=\nListenStream={}\nSocketGroup={}\n",
            path,
            group);
        if (auto done = write_whole(drop_in, text, 0644, 0, 0); !done) {
            return done;
        }
        if (auto done = restart_units(); !done) {
            return done;
        }
    } else if (auto done = reload_milter(door); !done) {
        return done;
    }
    return wait_for(path);
}

Result<void> reload_milter(const MilterDoor& door) {
    if (door.by_systemd) {
        return systemctl({"reload", "millrace-milter.service"});
    }
    if (::kill(door.pid, SIGHUP) != 0) {
        return failure(Fault::unavailable,
                       fmt::format("the milter (process {}) cannot be told to reload: {}",
                                   door.pid,
                                   std::strerror(errno)));
    }
    return {};
}

Result<void> forget_drop_in(const std::string& drop_in) {
    std::error_code error;
    if (!std::filesystem::remove(drop_in, error)) {
        return {};
    }
    std::filesystem::remove(std::filesystem::path(drop_in).parent_path(), error);  // if it is empty
    return restart_units();
}

Result<void> reachable_from(const std::string& user,
                            const std::string& queue_directory,
                            const std::string& path,
                            bool chrooted) {
    auto const* const who = ::getpwnam(user.c_str());
    if (who == nullptr) {
        return failure(Fault::invalid, fmt::format("there is no user {} (mail_owner)", user));
    }
    auto const inside =
        path.starts_with(queue_directory + "/") ? path.substr(queue_directory.size() + 1) : path;
    passwd const copy = *who;
    pid_t const child = ::fork();
    if (child == 0) {
        ::_exit(try_as(copy, queue_directory, inside, chrooted) & 0xff);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) {
        return failure(Fault::unavailable, "no process can be made to try the milter's socket");
    }
    if (WEXITSTATUS(status) != 0) {
        return failure(
            Fault::invalid,
            fmt::format("{} cannot reach the milter's socket {}{}: {}; the mail server would "
                        "defer every message. {}",
                        user,
                        path,
                        chrooted ? fmt::format(" from the chroot {}", queue_directory) : "",
                        std::strerror(WEXITSTATUS(status)),
                        chrooted && inside == path
                            ? "Take milter.socket out of the configuration file: attach puts it "
                              "below Postfix's queue directory"
                            : "Look at the permissions of each folder on the way"));
    }
    return {};
}

}  // namespace millrace::attach
