#include "milter/control_loop.hpp"

#include <cerrno>
#include <charconv>
#include <chrono>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "common/config/complete.hpp"
#include "common/config/load.hpp"
#include "common/config/program.hpp"
#include "milter/libmilter_adapter.hpp"

namespace millrace::milter {
namespace {

/// A connection that was accepted right before the drain shows up as a session within this time.
constexpr Duration settling = std::chrono::milliseconds(200);

/// A listening socket nobody can reach.
int deaf_listener() {
    const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;  // no path: the kernel picks an abstract name
    ::bind(made, reinterpret_cast<const sockaddr*>(&address), sizeof address.sun_family);
    ::listen(made, 1);
    return made;
}

bool read_all(int descriptor, char* to, std::size_t size) {
    while (size > 0) {
        const ssize_t got = ::read(descriptor, to, size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        to += got;
        size -= static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace

ControlLoop::ControlLoop(int control, int listener, Service& service)
    : control_(control), listener_(listener), service_(service), drain_(std::chrono::seconds(20)) {}

void ControlLoop::run() {
    while (auto frame = receive()) {
        if (frame->kind == reload) {
            apply(frame->payload);
        } else if (frame->kind == drain) {
            Duration::rep count = 0;
            const std::string& digits = frame->payload;
            std::from_chars(digits.data(), digits.data() + digits.size(), count);
            finish(Duration(count));
            return;
        }
    }
    service_.log().error("gate.orphaned", {{"reason", "the supervisor is gone"}});
    finish(drain_);
}

std::optional<ControlLoop::Frame> ControlLoop::receive() const {
    Frame frame{};
    std::uint32_t size = 0;
    if (!read_all(control_, &frame.kind, 1) ||
        !read_all(control_, reinterpret_cast<char*>(&size), sizeof size)) {
        return std::nullopt;
    }
    frame.payload.resize(size);
    if (!read_all(control_, frame.payload.data(), size)) {
        return std::nullopt;
    }
    return frame;
}

void ControlLoop::apply(const std::string& text) {
    const auto settings = config::parse(text, "the settings in force");
    if (!settings) {  // the supervisor has checked them
        service_.log().error("gate.reload_failed", {{"reason", settings.error().detail}});
        return;
    }
    config::Settings fresh = **settings;
    if (const auto read = config::read_secrets(fresh, config::Part::milter); !read) {
        service_.log().error("gate.reload_failed", {{"reason", read.error().detail}});
        return;
    }
    service_.reload(fresh);
    service_.log().info("gate.reloaded", {{"generation", ++generation_}});
}

/// libmilter cannot stop accepting and go on serving, so its listening socket is taken from under
/// it: new connections wait in the real one's queue for whoever shares it.
void ControlLoop::finish(Duration at_most) {
    const int deaf = deaf_listener();
    ::dup2(deaf, listener_);
    ::close(deaf);
    const Time deadline = service_.clock().now() + at_most;
    for (;;) {
        std::this_thread::sleep_for(settling);
        if (service_.sessions() == 0) {
            break;
        }
        const Time now = service_.clock().now();
        if (now >= deadline || !service_.wait_idle(deadline - now)) {
            break;
        }
    }
    service_.log().info("gate.drained", {{"sessions_cut", service_.sessions()}});
}

void serve_until_told(
    int listener, int control, const config::Settings& settings, const Clock& clock, Log& log) {
    // Neither is ever destroyed: libmilter's threads use them until the process is gone.
    auto* service = new Service(settings, clock, log);
    auto* loop = new ControlLoop(control, listener, *service);
    std::thread([loop] {
        loop->run();
        ::_exit(config::exit_done);
    }).detach();
    const auto served = run_libmilter(listener, *service);
    if (!served) {
        log.error("gate.failed", {{"reason", served.error().detail}});
    }
    ::_exit(served ? config::exit_done : config::exit_temporary);
}

}  // namespace millrace::milter
