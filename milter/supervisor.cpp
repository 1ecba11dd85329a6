#include "milter/supervisor.hpp"

#include <algorithm>
#include <chrono>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace millrace::milter {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A worker that lived so long died of something else than its start: it is replaced at once.
constexpr Duration sound_life = seconds(10);
constexpr Duration restart_first = milliseconds(100);
constexpr Duration restart_most = seconds(5);
/// What a draining worker gets beyond its drain before it is killed; with the longest drain (25 s)
/// the whole end stays under 30 s.
constexpr Duration drain_slack = seconds(3);

int signals_of_supervisor() {
    sigset_t set;
    ::sigemptyset(&set);
    for (const int number : {SIGHUP, SIGTERM, SIGINT, SIGCHLD}) {
        ::sigaddset(&set, number);
    }
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/// The worker of a supervisor that was killed lets go of the socket when libmilter's poll on it
/// ends (5 s).
constexpr int open_attempts = 60;
constexpr Duration open_pause = milliseconds(100);

Result<Listener> listen_on(const std::string& socket) {
    auto name = SocketName::parse(socket);
    if (!name) {
        return std::unexpected(name.error());
    }
    for (int attempt = 1;; ++attempt) {
        auto opened = Listener::open(*name);
        if (opened || opened.error().fault != Fault::unavailable || attempt == open_attempts) {
            return opened;
        }
        std::this_thread::sleep_for(open_pause);
    }
}

}  // namespace

Supervisor::Supervisor(config::Program program, const Clock& clock, Log& log)
    : program_(std::move(program)), clock_(clock), log_(log) {}

int Supervisor::run() {
    if (auto opened = open(); !opened) {
        log_.error("gate.failed", {{"reason", opened.error().detail}});
        return opened.error().fault == Fault::unavailable ? config::exit_temporary
                                                          : config::exit_configuration;
    }
    const int signals = signals_of_supervisor();
    start_worker();
    while (!stopping_ || worker_ || !leaving_.empty()) {
        pollfd watched{signals, POLLIN, 0};
        ::poll(&watched, 1, wait_milliseconds());
        on_signal(signals);
        reap();
        kill_overdue();
        if (!stopping_ && !worker_ && clock_.now() >= restart_at_) {
            start_worker();
        }
    }
    ::close(signals);
    listener_.reset();
    log_.info("gate.stopped");
    return config::exit_done;
}

Result<void> Supervisor::open() {
    const config::Settings& settings = *program_.settings;
    listener_ = Listener::inherited();
    inherited_ = listener_.has_value();
    if (!inherited_) {
        auto opened = listen_on(settings.milter.socket);
        if (!opened) {
            return std::unexpected(opened.error());
        }
        listener_ = std::move(*opened);
    }
    const bool enforce = settings.gate.mode == policy::Mode::enforce;
    log_.info("gate.listening",
              {{"socket", inherited_ ? "systemd" : settings.milter.socket},
               {"mode", enforce ? "enforce" : "report-only"},
               {"config", program_.file}});
    return {};
}

void Supervisor::start_worker() {
    restart_at_ = never;
    auto started = Worker::start(listener_->descriptor(), *program_.settings, clock_, log_);
    if (started) {
        worker_ = std::move(*started);
        return;
    }
    restart_at_ = clock_.now() + restart_most;
    log_.error("gate.worker_failed", {{"reason", started.error().detail}});
}

void Supervisor::on_signal(int descriptor) {
    signalfd_siginfo told{};
    while (::read(descriptor, &told, sizeof told) == static_cast<ssize_t>(sizeof told)) {
        if (told.ssi_signo == SIGHUP && !stopping_) {
            reload();
        } else if (told.ssi_signo == SIGTERM || told.ssi_signo == SIGINT) {
            stop();
        }
    }
}

void Supervisor::reload() {
    auto fresh = config::reload_program(program_, config::Part::milter);
    if (!fresh) {
        refuse_reload(fresh.error());
        return;
    }
    if ((*fresh)->milter.socket != program_.settings->milter.socket && !inherited_) {
        move_to(std::move(*fresh));
        return;
    }
    program_.settings = std::move(*fresh);
    if (worker_) {  // if it is gone, the next one starts with them
        worker_->reload(*program_.settings);
    }
}

void Supervisor::refuse_reload(const Failure& reason) {
    log_.error("gate.reload_refused",
               {{"reason", reason.detail}, {"in_force", "the settings before"}});
}

/// Another socket: a new worker serves it, the old one finishes what it has.
void Supervisor::move_to(config::Snapshot settings) {
    auto opened = listen_on(settings->milter.socket);
    if (!opened) {
        refuse_reload(opened.error());
        return;
    }
    retire(worker_);
    listener_ = std::move(*opened);
    program_.settings = std::move(settings);
    log_.info("gate.moved", {{"socket", program_.settings->milter.socket}});
    start_worker();
}

void Supervisor::retire(std::optional<Worker>& worker) {
    const Duration drain = program_.settings->milter.drain;
    if (worker) {
        worker->drain(drain);
        leaving_.push_back({std::move(*worker), clock_.now() + drain + drain_slack});
        worker.reset();
    }
}

void Supervisor::stop() {
    if (!stopping_) {
        stopping_ = true;
        log_.info("gate.stopping", {{"drain", to_human(program_.settings->milter.drain)}});
        retire(worker_);
        // Who comes now is told so at once, instead of waiting for the drain and being cut off;
        // systemd's socket keeps them for the next start.
        listener_.reset();
    }
}

void Supervisor::reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
        if (worker_ && worker_->pid() == pid) {
            if (clock_.now() - worker_->started() > sound_life) {
                restart_delay_ = {};
            }
            worker_.reset();
            on_worker_end(status);
        }
        std::erase_if(leaving_, [pid](const Leaving& l) { return l.worker.pid() == pid; });
    }
}

/// Not told to end, and ended: another takes over the socket. Connections wait in its queue.
void Supervisor::on_worker_end(int status) {
    restart_delay_ = std::clamp(restart_delay_ * 2, restart_first, restart_most);
    log_.error("gate.worker_died",
               {{"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0},
                {"status", WIFEXITED(status) ? WEXITSTATUS(status) : 0},
                {"restart_in", to_human(restart_delay_)}});
    restart_at_ = clock_.now() + restart_delay_;
}

void Supervisor::kill_overdue() {
    for (Leaving& leaving : leaving_) {
        if (clock_.now() >= leaving.deadline) {
            leaving.worker.kill();
            leaving.deadline = never;
        }
    }
}

int Supervisor::wait_milliseconds() const {
    Time next = restart_at_;
    for (const Leaving& leaving : leaving_) {
        next = std::min(next, leaving.deadline);
    }
    if (next == never) {
        return -1;
    }
    const auto wait = std::chrono::ceil<milliseconds>(next - clock_.now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(wait, 0, 60'000));
}

}  // namespace millrace::milter
