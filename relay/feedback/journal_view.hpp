#pragma once

#include <functional>
#include <span>
#include <string>

#include "relay/spool/event.hpp"

namespace millrace::relay {

/// One reader of the journal: how its events look, and where they go. JournalWriter keeps its
/// place.
struct JournalView {
    std::string name;    ///< of its cursor among the spool's notes
    std::string target;  ///< where it goes, for people; empty: nowhere, events are only passed by
    /// What is old is of no use to it: when it is new, it begins now.
    bool from_now_on = false;
    /// Writes these events. Returns an empty text when they are kept as safely as the target can,
    /// else what went wrong; then the same ones come again. Runs on the pool.
    std::function<std::string(std::span<const Event>)> write;
};

/// JSON lines, appended to a file and synced; file: may be empty.
JournalView event_log_view(const std::string& file);

/// Postfix's lines (see mail_log). target: a file, `syslog`, or `syslog:/path` for a socket of the
/// system's log that is not /dev/log; may be empty. host: as the lines of a file name this machine.
JournalView mail_log_view(const std::string& target, const std::string& host);

}  // namespace millrace::relay
