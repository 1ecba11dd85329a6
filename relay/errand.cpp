#include "relay/errand.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/net/signal.hpp"

namespace millrace::relay {
namespace {

using boost::system::error_code;

constexpr std::size_t output_max = 2'000;

/// Started, with one pipe for both of its outputs.
struct Started {
    pid_t pid = -1;
    int output = -1;
};

/// Failure: the errno of whatever did not work.
std::expected<Started, int> start(const std::vector<std::string>& command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    posix_spawn_file_actions_addchdir_np(&files, "/");
    // What we ignore or block is no matter of the child's.
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    std::vector<std::string> words = command;
    std::vector<char*> arguments;
    for (auto& word : words)
        arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::string path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    std::string language = "LANG=C";
    std::array<char*, 3> environment{path.data(), language.data(), nullptr};
    Started started{.pid = -1, .output = ends[0]};
    int const fault = ::posix_spawn(&started.pid,
                                    words.front().c_str(),
                                    &files,
                                    &attributes,
                                    arguments.data(),
                                    environment.data());
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    ::close(ends[1]);
    if (fault == 0) return started;
    ::close(ends[0]);
    return std::unexpected(fault);
}

std::string how_it_ended(int status) {
    if (WIFEXITED(status)) return fmt::format("exit {}", WEXITSTATUS(status));
    return fmt::format("signal {}", WTERMSIG(status));
}

}  // namespace

/// Outlives the Errand as long as a command runs.
struct Errand::State {
    State(asio::any_io_executor where, Log& l, std::string n, Duration t)
        : executor(where), log(l), name(std::move(n)), limit(t), timer(where), ended(where) {}

    asio::any_io_executor executor;
    Log& log;
    std::string name;
    Duration limit;
    asio::steady_timer timer;
    Signal ended;
    std::vector<std::string> next;  ///< to be run when this one has ended
    pid_t child = -1;
    bool running = false;
    bool stopping = false;
    bool late = false;
};

namespace {

/// What it says, up to the bound, until it closes its outputs. What is more is read and forgotten:
/// a full pipe would keep it waiting.
Task<std::string> listen(asio::posix::stream_descriptor& pipe) {
    std::string said;
    std::array<char, 4096> buffer{};
    error_code error;
    while (!error) {
        auto const got = co_await pipe.async_read_some(
            asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
        said.append(buffer.data(), std::min(got, output_max - said.size()));
    }
    co_return said;
}

/// Returns when the child is gone, which is told by SIGCHLD.
Task<int> reap(pid_t child, asio::signal_set& children) {
    int status = 0;
    error_code error;
    while (::waitpid(child, &status, WNOHANG) == 0) {
        co_await children.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    co_return status;
}

}  // namespace

Errand::Errand(asio::any_io_executor executor, Log& log, std::string name, Duration limit)
    : state_(std::make_shared<State>(std::move(executor), log, std::move(name), limit)) {}

Errand::~Errand() = default;

void Errand::run(std::vector<std::string> command) {
    if (state_->stopping) return;
    state_->next = std::move(command);
    if (std::exchange(state_->running, true)) return;
    auto work = [](std::shared_ptr<State> self) -> Task<void> {
        while (!self->next.empty() && !self->stopping) {
            auto const command = std::exchange(self->next, {});
            // Before the start: a child that ends at once is heard of too.
            asio::signal_set children(self->executor, SIGCHLD);
            auto const started = start(command);
            if (!started) {
                self->log.error(
                    self->name + "-failed",
                    {{"command", command.front()}, {"why", std::strerror(started.error())}});
                continue;
            }
            self->child = started->pid;
            self->late = false;
            asio::posix::stream_descriptor pipe(self->executor, started->output);
            self->timer.expires_after(self->limit);
            self->timer.async_wait([self, &pipe](const error_code& cancelled) {
                if (cancelled) return;
                self->late = true;
                ::kill(-self->child, SIGKILL);
                // A grandchild that left the group may keep the pipe open.
                error_code ignored;
                pipe.close(ignored);
            });
            auto const said = co_await listen(pipe);
            auto const status = co_await reap(started->pid, children);
            self->child = -1;
            if (self->timer.cancel() == 0 && !self->late) {
                // It has rung, and its handler is on the way with a reference to this frame.
                co_await asio::post(self->executor, asio::use_awaitable);
            }
            if (status == 0) {
                self->log.info(self->name + "-done", {{"command", command.front()}});
            } else if (!self->stopping) {
                self->log.error(self->name + "-failed",
                                {{"command", command.front()},
                                 {"why", self->late ? "it took too long" : how_it_ended(status)},
                                 {"said", said}});
            }
        }
        self->running = false;
        self->ended.notify();
    };
    asio::co_spawn(state_->executor, work(state_), asio::detached);
}

Task<void> Errand::stop() {
    state_->stopping = true;
    if (state_->child > 0) ::kill(-state_->child, SIGKILL);
    while (state_->running)
        co_await state_->ended.wait();
}

}  // namespace millrace::relay
