#pragma once

#include <condition_variable>
#include <mutex>

#include "common/base/log.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "milter/message_log.hpp"
#include "milter/session.hpp"

namespace millrace::milter {

/// What all sessions of one process share: the rules in force, the number of open sessions and the
/// log. Thread: any.
class Service {
  public:
    Service(const config::Settings& settings, const Clock& clock, Log& log);

    /// Puts new settings in force: messages that have begun keep theirs.
    void reload(const config::Settings& settings);
    /// The rules a message that begins now is judged by.
    PinnedRules rules() const;

    /// One more session. False when there are as many as allowed: it is to be turned away and does
    /// not count.
    bool enter();
    void leave();
    unsigned sessions() const;
    /// Waits until no session is open, at most so long. Returns whether none is.
    bool wait_idle(Duration at_most);

    /// The log line of one message.
    void record(const Report& report, Duration took);

    const Clock& clock() const { return clock_; }
    Log& log() { return log_; }

  private:
    const Clock& clock_;
    Log& log_;
    MessageLog messages_;
    mutable std::mutex mutex_;
    std::condition_variable idle_;
    PinnedRules rules_;
    unsigned sessions_max_;
    unsigned sessions_ = 0;
    bool full_ = false;  ///< said so in the log
};

}  // namespace millrace::milter
