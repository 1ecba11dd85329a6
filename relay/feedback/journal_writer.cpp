#include "relay/feedback/journal_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr unsigned page = 500;        // events read at a time
constexpr Duration again_after = 5s;  // a file or a spool that failed is tried again
constexpr Duration trim_every = 10min;
constexpr const char* cursor_note = "journal-writer/cursor";

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

}  // namespace

JournalWriter::JournalWriter(asio::any_io_executor executor,
                             Spool& spool,
                             Clock& clock,
                             WorkPool& pool,
                             Log& log,
                             std::string file,
                             Duration keep)
    : spool_(spool),
      clock_(clock),
      pool_(pool),
      log_(log),
      file_(std::move(file)),
      keep_(keep),
      changed_(executor) {}

Task<void> JournalWriter::run() {
    while (!stopping_ && !co_await load_cursor()) {
        co_await clock_.sleep(again_after);
    }
    while (!stopping_) {
        if (!co_await follow()) {
            co_await clock_.sleep(again_after);
            continue;
        }
        if (clock_.now() >= trim_at_) {
            co_await trim();
        }
        if (!stopping_) {
            co_await changed_.wait();
        }
    }
}

void JournalWriter::stop() {
    stopping_ = true;
    changed_.notify();
}

void JournalWriter::reopen() {
    changed_.notify();
}

Task<bool> JournalWriter::load_cursor() {
    auto const note = co_await spool_.note(cursor_note);
    if (note) {
        cursor_ = std::strtoull(note->c_str(), nullptr, 10);
        co_return true;
    }
    co_return note.error().fault == Fault::not_found;
}

/// Writes what is there; true when nothing is left.
Task<bool> JournalWriter::follow() {
    while (!stopping_) {
        auto const events = co_await spool_.events(cursor_, page);
        if (!events) {
            say(events.error().detail);
            co_return false;
        }
        if (events->empty()) {
            break;
        }
        if (!file_.empty()) {
            std::string lines;
            for (auto const& event : *events) {
                lines += to_json(event);
                lines += '\n';
            }
            if (!co_await append(std::move(lines))) {
                co_return false;
            }
        }
        // The cursor follows the file: after a crash the last page may be there twice, never not at
        // all.
        cursor_ = events->back().id;
        std::string name = cursor_note;
        auto value = std::to_string(cursor_);
        auto const kept = co_await spool_.put_note(std::move(name), std::move(value));
        if (!kept) {
            say(kept.error().detail);
            co_return false;
        }
    }
    say({});
    co_return true;
}

Task<bool> JournalWriter::append(std::string lines) {
    auto const trouble = std::make_shared<std::string>();
    auto const text = std::make_shared<std::string>(std::move(lines));
    std::function<void()> job = [trouble, text, file = file_] {
        *trouble = append_to(file, *text);
    };
    co_await pool_.run(std::move(job));
    say(*trouble);
    co_return trouble->empty();
}

/// Drops what is old and written, in pages, from the oldest on.
Task<void> JournalWriter::trim() {
    trim_at_ = clock_.now() + trim_every;
    auto const old = clock_.now() - keep_;
    while (!stopping_ && trimmed_ < cursor_) {
        auto const events = co_await spool_.events(trimmed_, page);
        if (!events || events->empty()) {
            break;
        }
        std::uint64_t up_to = 0;
        for (auto const& event : *events) {
            if (event.at > old || event.id > cursor_) {
                break;
            }
            up_to = event.id;
        }
        if (up_to == 0) {
            break;
        }
        auto const trimmed = co_await spool_.trim(up_to);
        if (!trimmed) {
            say(trimmed.error().detail);
            break;
        }
        trimmed_ = up_to;
    }
}

/// Once when it begins, once when it is over.
void JournalWriter::say(std::string trouble) {
    if (trouble == trouble_) {
        return;
    }
    if (trouble.empty()) {
        log_.info("journal.recovered", {{"file", file_}});
    } else {
        log_.error("journal.not-written",
                   {{"file", file_},
                    {"why", trouble},
                    {"next", "events stay in the spool until it works again"}});
    }
    trouble_ = std::move(trouble);
}

}  // namespace millrace::relay
