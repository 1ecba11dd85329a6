#include "relay/attach/sendmail_daemon.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>

#include "common/net/asio_clock.hpp"
#include "relay/attach/record.hpp"

namespace millrace::attach {
namespace {

namespace fs = std::filesystem;

constexpr Duration restarting = std::chrono::seconds(30);
constexpr int poll_milliseconds = 50;

/// Whether something there greets as an SMTP server does.
bool greets(const Address& where) {
    bool const six = where.address.find(':') != where.address.npos;
    sockaddr_in v4{};
    sockaddr_in6 v6{};
    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    v4.sin_port = v6.sin6_port = htons(where.port);
    if (::inet_pton(six ? AF_INET6 : AF_INET,
                    where.address.c_str(),
                    six ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr) != 1) {
        return false;
    }
    int const descriptor = ::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return false;
    }
    timeval const patience{10, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    char code[3] = {};
    bool const good = ::connect(descriptor,
                                six ? reinterpret_cast<const sockaddr*>(&v6)
                                    : reinterpret_cast<const sockaddr*>(&v4),
                                six ? sizeof v6 : sizeof v4) == 0 &&
                      ::recv(descriptor, code, sizeof code, MSG_WAITALL) == sizeof code &&
                      std::memcmp(code, "220", sizeof code) == 0;
    constexpr std::string_view bye = "QUIT\r\n";
    if (good) {
        std::ignore = ::send(descriptor, bye.data(), bye.size(), MSG_NOSIGNAL);
    }
    ::close(descriptor);
    return good;
}

/// When and as which file it was written last.
std::tuple<ino_t, std::int64_t, std::int64_t> writing_of(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return {};
    }
    return {status.st_ino, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

/// A pid file may be older than the process that has its number now, and that one does not want our
/// signal. Who may not look (not root) gets the benefit of the doubt.
bool is_running(pid_t pid, const std::string& program) {
    if (pid <= 1 || (::kill(pid, 0) != 0 && errno == ESRCH)) {
        return false;
    }
    std::error_code unseen, unknown;
    auto const runs =
        fs::read_symlink(fmt::format("/proc/{}/exe", pid), unseen).filename().string();
    auto const wanted = fs::canonical(program, unknown).filename().string();
    return unseen || unknown || runs == wanted || runs == wanted + " (deleted)";
}

}  // namespace

std::string SendmailDaemon::configuration() const {
    for (std::size_t i = 1; i < command.size(); ++i) {
        if (command[i] == "-C") {
            return i + 1 < command.size() ? command[i + 1] : std::string();
        }
        if (command[i].starts_with("-C")) {
            return command[i].substr(2);
        }
    }
    return {};
}

SendmailDaemon find_daemon(const std::string& pid_file) {
    auto const text = read_whole(pid_file);
    SendmailDaemon daemon;
    if (!text) {
        return daemon;
    }
    std::istringstream words(*text);
    words >> daemon.pid;
    for (std::string word; words >> word;) {
        daemon.command.push_back(word);
    }
    if (!is_running(daemon.pid, daemon.command.empty() ? std::string() : daemon.command.front())) {
        daemon.pid = 0;
    }
    return daemon;
}

Result<void> restart_daemon(const std::string& pid_file, const Address& where) {
    auto const before = writing_of(pid_file);
    auto const was = find_daemon(pid_file);
    if (was.pid == 0 || ::kill(was.pid, SIGHUP) != 0) {
        return failure(Fault::unavailable,
                       fmt::format("no Sendmail runs by {}: start it", pid_file));
    }
    AsioClock const clock;
    for (auto const deadline = clock.now() + restarting; clock.now() < deadline;) {
        if (writing_of(pid_file) != before && find_daemon(pid_file).pid != 0 && greets(where)) {
            return {};
        }
        ::poll(nullptr, 0, poll_milliseconds);
    }
    return failure(Fault::timed_out,
                   fmt::format("Sendmail does not answer at {} port {} after SIGHUP; its log says "
                               "why",
                               where.address,
                               where.port));
}

}  // namespace millrace::attach
