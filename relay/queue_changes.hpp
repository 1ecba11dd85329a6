#pragma once

#include <functional>
#include <string>

#include "common/net/clock.hpp"
#include "relay/api/control.hpp"
#include "relay/dispatcher.hpp"

namespace millrace::relay {

/// What an operator does to single messages: hold, release, retry, remove, bounce. Works that are
/// being delivered at this moment are left alone: their outcome comes within minutes. Thread: the
/// loop's.
class QueueChanges {
  public:
    struct Parts {
        Clock& clock;
        Spool& spool;
        Dispatcher& dispatcher;
        MessageIds& ids;
        std::function<void(const Committed&)> on_committed;
    };
    /// hostname: of the notices.
    QueueChanges(Parts parts, std::string hostname)
        : parts_(std::move(parts)), hostname_(std::move(hostname)) {}

    /// For the next `max` works that match, after `after`, in one commit. `reason`: of the events.
    Task<Result<Changed>> make(
        Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason);

  private:
    /// The end of a work, and for a bounce the notice to its sender.
    Task<Result<void>> put_out(Change change,
                               const Work& work,
                               Batch& batch,
                               const std::string& reason);

    Parts parts_;
    std::string hostname_;
};

}  // namespace millrace::relay
