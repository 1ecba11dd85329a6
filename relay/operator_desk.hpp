#pragma once

#include <deque>
#include <functional>
#include <string>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/api/control.hpp"
#include "relay/dispatcher.hpp"

namespace millrace::relay {

/// Answers the operator from the spool and the scheduler, and carries out what he asks. Works that
/// are being delivered at this moment are left alone: their outcome comes within minutes. Thread:
/// the loop's.
class OperatorDesk final : public Operations {
  public:
    struct Parts {
        Clock& clock;
        Spool& spool;
        Dispatcher& dispatcher;
        MessageIds& ids;
        Log& log;
        std::function<unsigned()> sessions;  ///< open intake sessions
        std::function<unsigned()> waiting;   ///< intake connections that are kept waiting
        std::function<Result<std::vector<std::string>>()> reload;
        std::function<void(const Committed&)> on_committed;
    };
    OperatorDesk(Parts parts, std::string hostname);

    Task<Result<Status>> status() override;
    Task<Result<std::vector<DestinationStatus>>> destinations() override;
    Task<Result<std::vector<QueuedRecipient>>> queue(WorkFilter filter,
                                                     WorkKey after,
                                                     unsigned max) override;
    Task<Result<Counted>> count(WorkFilter filter) override;
    Task<Result<MessageReport>> show(MessageId id) override;
    Task<Result<Body>> body(MessageId id) override;
    Task<Result<Changed>> change(
        Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason) override;
    Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) override;
    Task<Result<std::vector<std::string>>> reload() override;
    SpoolHealth health() const override;

    /// Kept for the bare `millrace`: the last few things an operator should know about.
    void problem(std::string what, std::string detail);
    /// For the counts since the start.
    void count_events(const std::vector<Event>& events);

  private:
    Task<Result<void>> put_out(Change change,
                               const Work& work,
                               Batch& batch,
                               const std::string& reason);
    std::string why(const Work& work, Time now) const;

    Parts parts_;
    std::string hostname_;
    Time started_;
    std::deque<Problem> problems_;
    std::uint64_t received_ = 0, delivered_ = 0, deferred_ = 0, bounced_ = 0;
};

}  // namespace millrace::relay
