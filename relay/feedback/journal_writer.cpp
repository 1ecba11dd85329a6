#include "relay/feedback/journal_writer.hpp"

#include <algorithm>
#include <cstdlib>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr unsigned page = 500;        // events read at a time
constexpr Duration again_after = 5s;  // a file or a spool that failed is tried again
constexpr Duration settle_pause = 5ms;
constexpr Duration trim_every = 10min;

}  // namespace

JournalWriter::JournalWriter(asio::any_io_executor executor,
                             Spool& spool,
                             Clock& clock,
                             WorkPool& pool,
                             Log& log,
                             JournalView view,
                             Trimming trimming)
    : spool_(spool),
      clock_(clock),
      pool_(pool),
      log_(log),
      view_(std::move(view)),
      trimming_(std::move(trimming)),
      begun_(clock.now()),
      changed_(executor) {}

Task<void> JournalWriter::run() {
    while (!stopping_ && !co_await load_cursor()) {
        co_await clock_.sleep(again_after);
    }
    while (!stopping_ && !switched_off()) {
        if (!co_await follow()) {
            co_await clock_.sleep(again_after);
            continue;
        }
        if (trimming_.keep && clock_.now() >= trim_at_) {
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

Task<void> JournalWriter::settled(Time deadline) {
    while (writing_ && clock_.now() < deadline) {
        co_await clock_.sleep(settle_pause);
    }
}

void JournalWriter::reopen() {
    changed_.notify();
}

Task<bool> JournalWriter::load_cursor() {
    auto name = view_.name;
    auto const note = co_await spool_.note(std::move(name));
    bool const is_new = note ? note->empty() : note.error().fault == Fault::not_found;
    if (!note && !is_new) {
        co_return false;
    }
    if (!view_.from_now_on) {
        cursor_ = note ? std::strtoull(note->c_str(), nullptr, 10) : 0;
        co_return true;
    }
    if (switched_off()) {
        // When it is switched on again, it begins anew.
        co_return is_new || co_await keep_cursor({});
    }
    if (!is_new) {
        cursor_ = std::strtoull(note->c_str(), nullptr, 10);
        co_return true;
    }
    while (!stopping_) {
        auto const events = co_await spool_.events(cursor_, page);
        if (!events) {
            co_return false;
        }
        // What happened since the start is new, although mail came in before we got here.
        auto const fresh =
            std::ranges::find_if(*events, [this](const Event& event) { return event.at > begun_; });
        if (fresh != events->begin()) {
            cursor_ = std::prev(fresh)->id;
        }
        if (fresh != events->end() || events->empty()) {
            break;
        }
    }
    co_return co_await keep_cursor(std::to_string(cursor_));
}

Task<bool> JournalWriter::keep_cursor(std::string value) {
    auto name = view_.name;
    auto const kept = co_await spool_.put_note(std::move(name), std::move(value));
    if (!kept) {
        say(kept.error().detail);
    }
    co_return kept.has_value();
}

/// Writes what is there; true when nothing is left.
Task<bool> JournalWriter::follow() {
    while (!stopping_) {
        auto events = co_await spool_.events(cursor_, page);
        if (!events) {
            say(events.error().detail);
            co_return false;
        }
        if (events->empty()) {
            break;
        }
        auto const last = events->back().id;
        writing_ = true;
        if (!view_.target.empty() && !co_await write(std::move(*events))) {
            writing_ = false;
            co_return false;
        }
        // The cursor follows what was written: after a crash the last page may be there twice,
        // never not at all.
        cursor_ = last;
        bool const kept = co_await keep_cursor(std::to_string(cursor_));
        writing_ = false;
        if (!kept) {
            co_return false;
        }
    }
    say({});
    co_return true;
}

Task<bool> JournalWriter::write(std::vector<Event> events) {
    auto const trouble = std::make_shared<std::string>();
    auto const all = std::make_shared<const std::vector<Event>>(std::move(events));
    std::function<void()> job = [trouble, all, write = view_.write] {
        *trouble = write(*all);
    };
    co_await pool_.run(std::move(job));
    say(*trouble);
    co_return trouble->empty();
}

/// Drops what is old and written, in pages, from the oldest on.
Task<void> JournalWriter::trim() {
    trim_at_ = clock_.now() + trim_every;
    auto const old = clock_.now() - *trimming_.keep;
    auto const passed = trimming_.passed ? std::min(cursor_, trimming_.passed()) : cursor_;
    while (!stopping_ && trimmed_ < passed) {
        auto const events = co_await spool_.events(trimmed_, page);
        if (!events || events->empty()) {
            break;
        }
        std::uint64_t up_to = 0;
        for (auto const& event : *events) {
            if (event.at > old || event.id > passed) {
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
        log_.info("journal.recovered", {{"file", view_.target}});
    } else {
        log_.error("journal.not-written",
                   {{"file", view_.target},
                    {"why", trouble},
                    {"next", "events stay in the spool until it works again"}});
    }
    trouble_ = std::move(trouble);
}

}  // namespace millrace::relay
