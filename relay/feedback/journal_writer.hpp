#pragma once

#include <cstdint>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "common/net/signal.hpp"
#include "common/net/work_pool.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Writes the journal's events to a file, one JSON object per line, in order, and trims the journal
/// by age behind it. A cursor in the spool's notes survives restarts; every event is written at
/// least once (event_id tells twins apart), and only what is written is ever trimmed.
///
/// A file that cannot be written costs no mail: the writer waits, says so once, and catches up.
/// Thread:    the loop's. The file itself is written on the pool.
/// Cancelled: run() ends at its next wait; what was written stays written.
class JournalWriter {
  public:
    /// file: empty: events are only trimmed. keep: age at which events leave the journal.
    JournalWriter(asio::any_io_executor executor,
                  Spool& spool,
                  Clock& clock,
                  WorkPool& pool,
                  Log& log,
                  std::string file,
                  Duration keep);

    /// Follows the journal until stop() or cancellation. Spawn it once.
    Task<void> run();
    /// There are new events. Cheap; call it after every commit.
    void notify() { changed_.notify(); }
    /// The file was moved away (log rotation, SIGHUP): it is opened anew for every page anyway;
    /// this only makes the writer look.
    void reopen();
    /// Ends run() after the batch under way.
    void stop();

    /// The last event written and recorded; for metrics and readiness.
    std::uint64_t position() const { return cursor_; }
    /// Why nothing can be written at the moment; empty: all is well.
    const std::string& trouble() const { return trouble_; }

  private:
    Task<bool> load_cursor();
    Task<bool> follow();
    Task<bool> append(std::string lines);
    Task<void> trim();
    void say(std::string trouble);

    Spool& spool_;
    Clock& clock_;
    WorkPool& pool_;
    Log& log_;
    std::string file_;
    Duration keep_;
    Signal changed_;
    std::uint64_t cursor_ = 0;
    std::uint64_t trimmed_ = 0;
    Time trim_at_{};
    std::string trouble_;
    bool stopping_ = false;
};

}  // namespace millrace::relay
