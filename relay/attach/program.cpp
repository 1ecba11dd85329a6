#include "relay/attach/program.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/net/asio_clock.hpp"

extern char** environ;

namespace millrace::attach {
namespace {

constexpr std::size_t input_max = 4096;  // PIPE_BUF: a pipe takes it at once
constexpr int look_every_milliseconds = 5;

/// The two ends of a pipe; closed with it.
struct Pipe {
    int read = -1, write = -1;
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) == 0) {
            read = ends[0];
            write = ends[1];
        }
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        shut(read);
        shut(write);
    }
    static void shut(int& end) {
        if (end >= 0) {
            ::close(end);
            end = -1;
        }
    }
};

/// The file of a program: root's PATH often lacks sbin when it comes from a user's shell.
std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
    }
    const char* path = std::getenv("PATH");
    std::string folders =
        std::string(path != nullptr ? path : "") + ":/usr/sbin:/usr/bin:/sbin:/bin";
    for (std::size_t begin = 0; begin <= folders.size();) {
        auto const end = std::min(folders.find(':', begin), folders.size());
        auto const file = folders.substr(begin, end - begin) + "/" + name;
        if (end > begin && ::access(file.c_str(), X_OK) == 0) {
            return file;
        }
        begin = end + 1;
    }
    return {};
}

/// False when that end is finished.
bool drain(int descriptor, std::string& into) {
    std::array<char, 16384> buffer{};
    auto const got = ::read(descriptor, buffer.data(), buffer.size());
    if (got <= 0) {
        return got < 0 && errno == EINTR;
    }
    into.append(buffer.data(), std::min(static_cast<std::size_t>(got), output_max - into.size()));
    return true;
}

/// Reads both ends until they are closed; false when the deadline passed before.
bool listen(Pipe& out, Pipe& error, Finished& finished, Time deadline, const Clock& clock) {
    while (out.read >= 0 || error.read >= 0) {
        std::array<pollfd, 2> watched{pollfd{out.read, POLLIN, 0}, pollfd{error.read, POLLIN, 0}};
        auto const left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - clock.now()).count();
        if (left <= 0) {
            return false;
        }
        if (::poll(watched.data(), 2, static_cast<int>(std::min<std::int64_t>(left, 1000))) <= 0) {
            continue;
        }
        if (watched[0].revents != 0 && !drain(out.read, finished.out)) {
            Pipe::shut(out.read);
        }
        if (watched[1].revents != 0 && !drain(error.read, finished.error)) {
            Pipe::shut(error.read);
        }
    }
    return true;
}

/// Its end; false when that did not come before the deadline. A program may close its output and
/// go on.
bool ended(pid_t pid, int& status, Time deadline, const Clock& clock) {
    for (;;) {
        auto const got = ::waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR)) {
            return true;
        }
        if (clock.now() >= deadline) {
            return false;
        }
        ::poll(nullptr, 0, look_every_milliseconds);
    }
}

std::string first_lines(const std::string& text) {
    auto trimmed = text.substr(0, 600);
    while (trimmed.ends_with('\n')) {
        trimmed.pop_back();
    }
    return trimmed;
}

}  // namespace

Result<Finished> run_program(const std::vector<std::string>& arguments,
                             Duration deadline,
                             std::string_view input) {
    auto const file = find_program(arguments.front());
    if (file.empty()) {
        return failure(Fault::not_found,
                       fmt::format("there is no program {} in PATH", arguments.front()));
    }
    Pipe in, out, error;
    // Fits into the pipe, so nobody has to feed it.
    if (input.size() > input_max ||
        ::write(in.write, input.data(), input.size()) != static_cast<ssize_t>(input.size())) {
        return failure(Fault::unavailable, fmt::format("{} cannot be given its input", file));
    }
    Pipe::shut(in.write);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.read, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.write, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, error.write, STDERR_FILENO);
    std::vector<char*> argv;
    for (auto const& argument : arguments) {
        argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    pid_t pid = 0;
    auto const failed = ::posix_spawn(&pid, file.c_str(), &actions, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) {
        return failure(Fault::unavailable,
                       fmt::format("{} cannot be run: {}", file, std::strerror(failed)));
    }
    Pipe::shut(out.write);
    Pipe::shut(error.write);

    Finished finished;
    AsioClock const clock;
    auto const end = clock.now() + deadline;
    int status = 0;
    bool const in_time = listen(out, error, finished, end, clock) && ended(pid, status, end, clock);
    if (!in_time) {
        ::kill(pid, SIGKILL);
        while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
        return failure(Fault::timed_out,
                       fmt::format("{} did not end within {}", file, to_human(deadline)));
    }
    finished.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return finished;
}

Result<std::string> output_of(const std::vector<std::string>& arguments, Duration deadline) {
    auto finished = run_program(arguments, deadline);
    if (!finished) {
        return std::unexpected(finished.error());
    }
    if (finished->exit != 0) {
        auto const& said = finished->error.empty() ? finished->out : finished->error;
        return failure(Fault::unavailable,
                       fmt::format("{} ended with {}{}",
                                   fmt::join(arguments, " "),
                                   finished->exit,
                                   said.empty() ? ", and says why in its log at most"
                                                : ": " + first_lines(said)));
    }
    return std::move(finished->out);
}

}  // namespace millrace::attach
