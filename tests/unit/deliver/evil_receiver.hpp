#pragma once

#include <memory>
#include <string>

#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/task_group.hpp"

namespace millrace::relay::evil {

/// What a receiving server does, and when. `phase` and `action` as in
/// tests/fault/receiver/phase_action.md; empty: it behaves.
struct Plan {
    std::string phase;
    std::string action;
    bool pipelining = true;
    bool refuses_recipients = false;  ///< of the first transaction
};

/// A receiving server that does one thing wrong.
/// Thread: the loop's.
class Receiver {
  public:
    Receiver(Clock& clock, TaskGroup& conversations, std::unique_ptr<Listener> listener, Plan plan);

    Task<void> serve();
    void close() { listener_->close(); }

    unsigned taken = 0;     ///< messages answered with 2xx after their end
    unsigned sessions = 0;  ///< begun
    unsigned ended = 0;
    std::string last_message;  ///< as it came, dots and all

  private:
    Task<void> converse(std::shared_ptr<Stream> stream);

    Clock& clock_;
    TaskGroup& conversations_;
    std::unique_ptr<Listener> listener_;
    Plan plan_;
};

}  // namespace millrace::relay::evil
