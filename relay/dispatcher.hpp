#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/base/log.hpp"
#include "common/base/metric.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/random.hpp"
#include "common/net/signal.hpp"
#include "common/net/task_group.hpp"
#include "relay/deliver/courier.hpp"
#include "relay/deliver/router.hpp"
#include "relay/schedule/scheduler.hpp"
#include "relay/settlement.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// What the dispatcher stands on; everything outlives it.
struct DispatcherParts {
    asio::any_io_executor executor;
    Clock& clock;
    Random& random;
    Network& network;
    Spool& spool;
    Router& router;
    MessageIds& ids;
    Log& log;
    Metrics& metrics;
    /// Something only the operator can mend: an event name and one sentence.
    std::function<void(std::string what, std::string detail)> on_problem;
};

/// Carries out what the scheduler plans: asks the router, reads the spool, opens connections, hands
/// them messages one after another, and makes every outcome durable before the scheduler hears of
/// it. Thread: the loop's.
class Dispatcher {
  public:
    /// on_events: the journal has grown. on_broken: the spool cannot be trusted any more; stop
    /// everything.
    Dispatcher(DispatcherParts parts,
               config::Snapshot settings,
               std::function<void(const Committed&)> on_events,
               std::function<void(std::string why)> on_broken);
    ~Dispatcher();
    Dispatcher(const Dispatcher&) = delete;

    /// Begins: pauses of the last run first, then the backlog, read in the background.
    void start();
    /// New mail that has just become durable.
    void arrived(const NewMail& mail);
    /// Work on disk changed by an operator.
    void noticed(const std::string& destination, Time due);
    /// The operator's changes to works that were claimed are durable …
    void changed(const Batch& batch);
    /// … or were not made: everything is as it was.
    void unchanged(const std::vector<Work>& claimed);
    void configure(config::Snapshot settings);

    /// Lets messages under way finish until `deadline`, then breaks connections off. Returns when
    /// nothing is under way any more.
    Task<void> stop(Time deadline);

    Scheduler& scheduler() { return scheduler_; }
    const Scheduler& scheduler() const { return scheduler_; }
    bool loading() const { return loading_; }
    std::size_t deliveries() const { return scheduler_.connections(); }

  private:
    /// An open connection without work.
    struct Idle {
        explicit Idle(asio::any_io_executor executor) : signal(std::move(executor)) {}
        Signal signal;
        Time since{};
        bool woken = false;
        bool dismissed = false;  ///< the scheduler knows already that it ends
    };
    struct Loaded {
        Envelope envelope;
        Body body;
    };
    /// What stands in for a connection when there is no route: the outcome of every attempt.
    using NoRoute = RecipientOutcome;

    Task<void> run();
    Task<void> load_backlog();
    Task<void> alarm(Time at);
    Task<void> resolve(std::string destination);
    Task<void> refill(Plan::Refill refill);
    Task<void> connection(std::string site);
    Task<void> converse(std::string site, std::shared_ptr<Courier> courier);
    Task<void> turn_away(std::string site, NoRoute outcome);
    Task<void> unreachable(std::string site, Opened opened);
    /// Waits for work; false when the connection is to end, which the scheduler has been told.
    Task<bool> idle(std::string site);
    /// Ends idle connections, those that have waited longest first, for sites that may not open
    /// one.
    void make_room();
    Task<Result<Loaded>> load(const Pick& pick);
    /// One transaction, the use-th of its connection; false when the connection is not to be used
    /// for another.
    Task<bool> deliver(Courier& courier, Pick pick, unsigned use);
    Task<void> settle_attempt(Pick pick,
                              Loaded loaded,
                              std::vector<RecipientOutcome> outcomes,
                              Time began,
                              unsigned use = 0);
    Task<void> set_aside(Pick pick, Failure failure);
    /// Makes the results of an attempt and their notices durable and acts on them; false: they
    /// were not kept, or not all.
    Task<bool> keep(Batch batch, const Loaded& loaded, Time began);
    /// One try; a broken spool ends everything.
    Task<Result<void>> try_commit(const Batch& batch);
    Task<bool> commit(Batch batch);
    Task<void> watch_spool();
    void give_up(const std::string& why);
    void limit(const std::string& site, Blame blame, const std::string& said);
    static std::string pause_note(const std::string& site) { return "lane-pause/" + site; }
    Task<void> write_pause(std::string site, Time until);
    void log_attempt(const Event& event, const Loaded& loaded, Time began);
    /// What there is to tell: the sender, and the postmaster when he wants to know.
    std::vector<NewMail> notifications(const Loaded& loaded,
                                       const std::vector<DsnRecipient>& notices);
    void poke() { changed_.notify(); }

    DispatcherParts parts_;
    config::Snapshot settings_;
    SettlementRules rules_;
    std::function<void(const Committed&)> on_events_;
    std::function<void(std::string)> on_broken_;
    Scheduler scheduler_;
    Signal changed_;
    TaskGroup work_;         ///< look-ups, refills, commits: short, they end by themselves
    TaskGroup connections_;  ///< conversations with receiving servers
    TaskGroup readers_;      ///< the couriers' readers
    TaskGroup timers_;       ///< the loop, alarms, the watch: may be cancelled at any time
    std::unordered_map<std::string, std::variant<Route, NoRoute>> routes_;  ///< by site
    std::map<std::string, std::deque<std::shared_ptr<Idle>>> idle_;
    std::size_t leaving_ = 0;  ///< connections that were idle and are being closed
    std::vector<std::weak_ptr<Courier>> couriers_;
    Time alarm_at_ = never;
    bool loading_ = true;
    bool stopping_ = false;
    Time stop_by_ = never;  ///< after this, a spool that refuses results is not waited for
    bool broken_ = false;
    Counter& delivered_;
    Counter& deferred_;
    Counter& bounced_;
    Counter& double_bounces_;
};

}  // namespace millrace::relay
