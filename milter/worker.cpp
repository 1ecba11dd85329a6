#include "milter/worker.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

#include "common/config/load.hpp"
#include "milter/control_loop.hpp"

namespace millrace::milter {

Result<Worker> Worker::start(int listener,
                             const config::Settings& settings,
                             const Clock& clock,
                             Log& log) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return failure(Fault::unavailable, std::strerror(errno));
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
        const std::string reason = std::strerror(errno);
        ::close(ends[0]);
        ::close(ends[1]);
        return failure(Fault::unavailable, "cannot start a process: " + reason);
    }
    if (pid == 0) {
        ::close(ends[0]);
        // Ctrl-C is for the supervisor, which ends us in good order.
        ::setpgid(0, 0);
        sigset_t none;
        ::sigemptyset(&none);
        ::sigprocmask(SIG_SETMASK, &none, nullptr);
        serve_until_told(listener, ends[1], settings, clock, log);
    }
    ::close(ends[1]);
    return Worker(pid, ends[0], clock.now());
}

bool Worker::reload(const config::Settings& settings) {
    return send(ControlLoop::reload, config::print(settings));
}

bool Worker::drain(Duration at_most) {
    return send(ControlLoop::drain, std::to_string(at_most.count()));
}

void Worker::kill() {
    ::kill(pid_, SIGKILL);
}

bool Worker::send(char kind, const std::string& payload) {
    std::string frame(1, kind);
    const auto size = static_cast<std::uint32_t>(payload.size());
    frame.append(reinterpret_cast<const char*>(&size), sizeof size);
    frame += payload;
    std::string_view rest = frame;
    while (!rest.empty()) {
        const ssize_t sent = ::send(control_, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

Worker::Worker(pid_t pid, int control, Time started)
    : pid_(pid), control_(control), started_(started) {}

Worker::Worker(Worker&& other) noexcept
    : pid_(other.pid_), control_(std::exchange(other.control_, -1)), started_(other.started_) {}

Worker& Worker::operator=(Worker&& other) noexcept {
    close();
    pid_ = other.pid_;
    control_ = std::exchange(other.control_, -1);
    started_ = other.started_;
    return *this;
}

Worker::~Worker() {
    close();
}

void Worker::close() {
    if (control_ >= 0) {
        ::close(control_);
    }
}

}  // namespace millrace::milter
