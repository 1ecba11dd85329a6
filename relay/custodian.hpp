#pragma once

#include <functional>
#include <string>

#include "common/net/clock.hpp"
#include "common/net/task_group.hpp"
#include "relay/dispatcher.hpp"
#include "relay/intake/acceptor.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Takes mail over: first it is durable, then there is a 250 and its delivery begins.
/// Thread: the loop's.
class Custodian final : public Acceptor {
  public:
    struct Parts {
        Clock& clock;
        Spool& spool;
        Dispatcher& dispatcher;
        MessageIds& ids;
        TaskGroup& work;
        std::function<void(const Committed&)> on_committed;
        std::function<void(std::string why)> on_broken;
        std::function<void()> on_refused;  ///< somebody is told that the spool has no room
    };
    explicit Custodian(Parts parts) : parts_(std::move(parts)) {}

    MessageId next_id() override { return parts_.ids.next(parts_.clock.now()); }
    Task<Result<void>> accept(NewMail mail) override;
    SpoolHealth health() const override;

  private:
    Task<void> store_late(NewMail mail);

    Parts parts_;
};

}  // namespace millrace::relay
