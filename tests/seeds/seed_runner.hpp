#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace millrace {

struct SeedRange {
    std::uint64_t first = 1;
    std::uint64_t count = 200;
    std::uint64_t chunk = 20;  ///< seeds of one process: what they leave goes with it
    unsigned jobs = 2;         ///< processes at a time
};

/// Runs seeds in processes of their own, so that one that dies takes nothing else along.
///
/// run: in the child, for the seeds [from, to); what it says goes to the parent by `lines`.
/// account: in the parent, with what a child said and how it ended; the seed it died in, or zero:
/// the seeds behind that one are run, too. enough: no more are begun.
inline void run_seeds(
    const SeedRange& range,
    const std::function<void(std::uint64_t from, std::uint64_t to, FILE* lines)>& run,
    const std::function<std::uint64_t(const std::string& text, int status)>& account,
    const std::function<bool()>& enough = [] { return false; }) {
    struct Worker {
        std::uint64_t to = 0;
        pid_t pid = -1;
        int pipe = -1;
        std::string text;
    };
    std::vector<Worker> workers;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> chunks;
    auto const end = range.first + range.count;
    for (auto at = range.first; at < end; at += range.chunk) {
        chunks.emplace_back(at, std::min(end, at + range.chunk));
    }
    while (!chunks.empty() || !workers.empty()) {
        if (enough()) chunks.clear();
        while (!chunks.empty() && workers.size() < range.jobs) {
            auto const [from, to] = chunks.front();
            chunks.pop_front();
            int ends[2];
            if (::pipe(ends) != 0) std::abort();
            std::fflush(nullptr);
            auto const pid = ::fork();
            if (pid == 0) {
                ::close(ends[0]);
                run(from, to, ::fdopen(ends[1], "w"));
                std::fflush(nullptr);
                ::_exit(0);
            }
            ::close(ends[1]);
            workers.push_back({to, pid, ends[0], {}});
        }
        std::vector<pollfd> wait;
        for (auto const& worker : workers)
            wait.push_back({worker.pipe, POLLIN, 0});
        ::poll(wait.data(), wait.size(), -1);
        for (auto i = workers.size(); i-- > 0;) {
            if (wait[i].revents == 0) continue;
            char room[65536];
            auto const got = ::read(workers[i].pipe, room, sizeof room);
            if (got > 0) {
                workers[i].text.append(room, static_cast<std::size_t>(got));
                continue;
            }
            int status = 0;
            ::close(workers[i].pipe);
            ::waitpid(workers[i].pid, &status, 0);
            auto const died = account(workers[i].text, status);
            if (died != 0 && died + 1 < workers[i].to)
                chunks.emplace_front(died + 1, workers[i].to);
            workers.erase(workers.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
}

/// How a process ended that should have said more.
inline std::string death_of(int status) {
    return WIFSIGNALED(status)
               ? std::string("the process died: ") + ::strsignal(WTERMSIG(status))
               : "the process ended with " + std::to_string(WEXITSTATUS(status));
}

}  // namespace millrace
