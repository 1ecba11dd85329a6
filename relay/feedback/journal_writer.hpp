#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "common/net/signal.hpp"
#include "common/net/work_pool.hpp"
#include "relay/feedback/journal_view.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Follows the journal for one view of it, in order, and trims it by age behind all views. A cursor
/// in the spool's notes survives restarts; every event is written at least once (event_id tells
/// twins apart), and only what every view has written is ever trimmed.
///
/// A target that cannot be written costs no mail: the writer waits, says so once, and catches up.
/// Thread:    the loop's. The target itself is written on the pool.
/// Cancelled: run() ends at its next wait; what was written stays written.
class JournalWriter {
  public:
    /// Who trims the journal, and how far he may go.
    struct Trimming {
        std::optional<Duration> keep;           ///< age at which events leave; none: another trims
        std::function<std::uint64_t()> passed;  ///< how far the other views are; none: there is no
                                                ///< other
    };
    JournalWriter(asio::any_io_executor executor,
                  Spool& spool,
                  Clock& clock,
                  WorkPool& pool,
                  Log& log,
                  JournalView view,
                  Trimming trimming);

    /// Follows the journal until stop() or cancellation. Spawn it once.
    Task<void> run();
    /// There are new events. Cheap; call it after every commit.
    void notify() { changed_.notify(); }
    /// The file was moved away (log rotation, SIGHUP): it is opened anew for every page anyway;
    /// this only makes the writer look.
    void reopen();
    /// Ends run() after the page under way.
    void stop();
    /// Returns when that page is written and recorded, at the latest at `deadline`: whoever cancels
    /// run() before may see the page twice.
    Task<void> settled(Time deadline);

    /// The last event written and recorded; for metrics and readiness. A view without a target is
    /// behind nothing.
    std::uint64_t position() const { return switched_off() ? UINT64_MAX : cursor_; }
    /// Why nothing can be written at the moment; empty: all is well.
    const std::string& trouble() const { return trouble_; }

  private:
    bool switched_off() const { return view_.from_now_on && view_.target.empty(); }
    Task<bool> load_cursor();
    Task<bool> follow();
    Task<bool> write(std::vector<Event> events);
    Task<bool> keep_cursor(std::string value);
    Task<void> trim();
    void say(std::string trouble);

    Spool& spool_;
    Clock& clock_;
    WorkPool& pool_;
    Log& log_;
    JournalView view_;
    Trimming trimming_;
    Time begun_;  ///< made: what happens from now on is new to a view that begins now
    Signal changed_;
    std::uint64_t cursor_ = 0;
    std::uint64_t trimmed_ = 0;
    Time trim_at_{};
    std::string trouble_;
    bool stopping_ = false;
    bool writing_ = false;  ///< a page is on its way, and its place is not recorded yet
};

}  // namespace millrace::relay
