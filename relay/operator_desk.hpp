#pragma once

#include <deque>
#include <functional>
#include <string>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/alerts.hpp"
#include "relay/auditor.hpp"
#include "relay/api/control.hpp"
#include "relay/dispatcher.hpp"
#include "relay/queue_changes.hpp"
#include "relay/recent_rate.hpp"

namespace millrace::relay {

/// Answers the operator from the spool and the scheduler, and carries out what he asks. Thread: the
/// loop's.
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
        std::function<Duration()> late_after;  ///< relay.alert_late_after
        std::function<const std::optional<Audit>&()> last_audit;
    };
    OperatorDesk(Parts parts, std::string hostname);

    Task<Result<Status>> status() override;
    Task<Result<std::vector<DestinationStatus>>> destinations() override;
    Task<Result<std::vector<ProviderStatus>>> providers() override;
    Task<Result<std::vector<Explanation>>> why(MessageId id) override;
    Task<Result<Explanation>> why_destination(std::string name) override;
    Task<Result<Standing>> standing(std::vector<std::string> more) override;
    Task<Result<std::vector<QueuedRecipient>>> queue(WorkFilter filter,
                                                     WorkKey after,
                                                     unsigned max) override;
    Task<Result<Counted>> count(WorkFilter filter) override;
    Task<Result<MessageReport>> show(MessageId id) override;
    Task<Result<Body>> body(MessageId id) override;
    Task<Result<Changed>> change(
        Change change, WorkFilter filter, WorkKey after, unsigned max, std::string reason) override;
    Task<Result<void>> order(Order order) override;
    Task<Result<void>> lift(OrderTarget target) override;
    Task<Result<void>> split(std::string site, bool alone) override;
    std::vector<Order> orders() const override;
    Task<Result<WorkFilter>> filter_of(OrderTarget target) override;
    Task<Result<void>> mark_warm(std::string source) override;
    Task<Result<std::shared_ptr<TraceListener>>> trace(TraceWish wish) override;
    Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) override;
    Task<Result<std::vector<std::string>>> reload() override;
    SpoolHealth health() const override;

    /// Kept for the bare `millrace`: the last few things an operator should know about.
    void problem(std::string what, std::string detail);
    /// Looks every minute for what an operator should be told by himself: to the log
    /// (`alert.raised`, `alert.ended`), the problems and the status.
    Task<void> watch();
    const Alerts& alerts() const { return alerts_; }
    /// Largest share of recipients that one receiver does not know, 0 to 1.
    double unknown_users() const;
    /// For the counts since the start.
    void count_events(const std::vector<Event>& events);

  private:
    std::string why(const Work& work, Time now) const;
    /// Fills in where the queues lead that the scheduler has no way for yet.
    Task<void> look_up(Standing& standing);
    /// The order that keeps the work from being sent.
    const Order* order_on(const Work& work, Time now) const;
    /// How many works of its stream go before it, as far as they are counted; `least`: there may be
    /// more.
    Task<std::optional<std::size_t>> place_of(Work work, bool& least);
    Task<Explanation> explain_recipient(const StoredMail* mail,
                                        const Work* work,
                                        std::vector<Event> events);
    /// What a provider takes from one of our sources.
    double rate_of(const std::string& source, const std::string& provider, Time now) const;

    Parts parts_;
    std::string hostname_;
    Time started_;
    QueueChanges changes_;
    std::deque<Problem> problems_;
    Alerts alerts_;
    RecentRate rates_;  ///< of deliveries, by provider and by address of ours and provider
    std::uint64_t received_ = 0, delivered_ = 0, deferred_ = 0, bounced_ = 0;
};

}  // namespace millrace::relay
