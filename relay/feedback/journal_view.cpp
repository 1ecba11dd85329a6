#include "relay/feedback/journal_view.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "relay/feedback/mail_log.hpp"

namespace millrace::relay {
namespace {

/// A line that a crash cut off would swallow the next one: it goes, its event is written again.
/// False: the file cannot be cut.
bool mend_end(int fd) {
    auto end = ::lseek(fd, 0, SEEK_END);
    if (end <= 0) return true;  // empty, or no file with an end (a pipe)
    char buffer[4096];
    auto const size = end;
    while (end > 0) {
        auto const begin = std::max<off_t>(0, end - static_cast<off_t>(sizeof buffer));
        auto const got = ::pread(fd, buffer, static_cast<std::size_t>(end - begin), begin);
        if (got <= 0) return false;
        for (auto i = got; i > 0; --i) {
            if (buffer[i - 1] != '\n') continue;
            return begin + i == size || ::ftruncate(fd, begin + i) == 0;
        }
        end = begin;
    }
    return ::ftruncate(fd, 0) == 0;
}

/// Appends all of it to the file; empty on success, else what went wrong. Runs on the pool. Opened
/// anew for each page: a file that was moved away is left alone from the next page on, and a page
/// costs far more. Synced, because the cursor that follows is.
std::string append_to(const std::string& file, const std::string& lines) {
    int const fd = ::open(file.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return "cannot open " + file + ": " + std::strerror(errno);
    }
    std::string trouble;
    if (!mend_end(fd)) {
        trouble = "cannot mend the last line of " + file + ": " + std::strerror(errno);
    }
    std::size_t done = 0;
    while (done < lines.size() && trouble.empty()) {
        auto const n = ::write(fd, lines.data() + done, lines.size() - done);
        if (n >= 0) {
            done += static_cast<std::size_t>(n);
        } else if (errno != EINTR) {
            trouble = "cannot write " + file + ": " + std::strerror(errno);
        }
    }
    // What is no file (a pipe, a terminal) cannot be synced and need not be.
    if (trouble.empty() && ::fdatasync(fd) != 0 && errno != EINVAL && errno != EROFS) {
        trouble = "cannot sync " + file + ": " + std::strerror(errno);
    }
    if (::close(fd) != 0 && trouble.empty()) {
        trouble = "cannot close " + file + ": " + std::strerror(errno);
    }
    return trouble;
}

/// Sends each to the socket of the system's log; empty on success, else what went wrong. Whoever
/// reads there has a second to take one.
std::string send_to_log(const std::string& path, const std::vector<std::string>& datagrams) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        return path + " is too long for a socket";
    }
    path.copy(address.sun_path, path.size());
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    timeval const patience{1, 0};
    bool good = fd >= 0 &&
                ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
                ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    for (auto const& datagram : datagrams) {
        good = good && ::send(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL) >= 0;
    }
    auto const trouble =
        good ? std::string() : "the system's log at " + path + ": " + std::strerror(errno);
    if (fd >= 0) {
        ::close(fd);
    }
    return trouble;
}

}  // namespace

JournalView event_log_view(const std::string& file) {
    return {"journal-writer/cursor", file, false, [file](std::span<const Event> events) {
                std::string lines;
                for (auto const& event : events) {
                    lines += to_json(event);
                    lines += '\n';
                }
                return append_to(file, lines);
            }};
}

JournalView mail_log_view(const std::string& target, const std::string& host) {
    constexpr std::string_view system = "syslog";
    JournalView view{"mail-log/cursor", target, true, {}};
    if (target.starts_with(system)) {
        auto const path = target.size() > system.size() ? target.substr(system.size() + 1)
                                                        : std::string("/dev/log");
        view.write = [path](std::span<const Event> events) {
            return send_to_log(path, mail_log_datagrams(events, ::getpid()));
        };
    } else {
        view.write = [target, host](std::span<const Event> events) {
            auto const lines = mail_log_text(events, host, ::getpid());
            return lines.empty() ? std::string() : append_to(target, lines);
        };
    }
    return view;
}

}  // namespace millrace::relay
