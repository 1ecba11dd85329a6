#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
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
#include "relay/deliver/last_dialogues.hpp"
#include "relay/deliver/reverse_name.hpp"
#include "relay/deliver/router.hpp"
#include "relay/schedule/greylist.hpp"
#include "relay/schedule/provider_map.hpp"
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
    Resolver& resolver;
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
    void noticed(const std::string& stream, Time due);
    /// A standing order, in force at once; the value comes when it will outlive a restart too.
    /// Failure: invalid or full (see OperatorOrders::give); unavailable: not kept, and taken back.
    Task<Result<void>> order(Order order);
    /// On the operator's word: the site is nobody else's (or whatever it is found to be, again), in
    /// force and kept. Failure: not_found: no mail goes there; unavailable: not kept.
    Task<Result<void>> split(std::string site, bool alone);
    /// Ends one, and lets bulk mail go that is held there for its unknown recipients. Failure:
    /// not_found: there is neither for that target; unavailable.
    Task<Result<void>> lift(OrderTarget target);
    const OperatorOrders& orders() const { return scheduler_.orders(); }

    /// The operator's changes to works that were claimed are durable …
    void changed(const Batch& batch);
    /// … or were not made: everything is as it was.
    void unchanged(const std::vector<Work>& claimed);
    void configure(config::Snapshot settings);

    /// Lets messages under way finish until `deadline`, then breaks connections off. Returns when
    /// nothing is under way any more.
    Task<void> stop(Time deadline);

    /// Where a destination's mail would go, whether there is any or not; what was learned of its
    /// provider is at hand after that.
    struct Whereabouts {
        std::string site;      ///< begins with `!`: nowhere, and `why`
        std::string provider;
        std::string why;
        Time valid_until{};
        Families there = {};
        bool direct = true;  ///< by MX
    };
    Task<Whereabouts> whereabouts(std::string destination);
    /// Our IPv6 addresses that are not used, because no name leads back to them, and why.
    std::vector<std::pair<std::string, ReverseName>> unconfirmed() const;
    /// The operator's logs show that a source has a history: it needs no warm-up. Durable when it
    /// returns. Failure: not_found (no such source), unavailable.
    Task<Result<void>> mark_warm(std::string source);
    const ScheduleLimits& limits() const { return scheduler_.limits(); }
    const RetrySchedule& retry() const { return rules_.retry; }
    Duration idle_connection() const { return settings_->relay.delivery.idle_connection; }
    /// Live dialogues with the receiving servers, and the last one with each.
    TraceHub& trace() { return trace_; }
    const LastDialogues& dialogues() const { return dialogues_; }

    Scheduler& scheduler() { return scheduler_; }
    const Scheduler& scheduler() const { return scheduler_; }
    const ProviderMap& providers() const { return providers_; }
    const RuleBook& book() const { return *book_; }
    const SettlementRules& rules() const { return rules_; }
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
    /// Of one connection: a result on its way to the disk while the next message is on its way to
    /// the receiver. One at most: what a crash can double stays bounded.
    struct Settling {
        explicit Settling(asio::any_io_executor executor) : done(std::move(executor)) {}
        Signal done;
        bool busy = false;
    };
    struct Loaded {
        Envelope envelope;
        Body body;
    };
    /// What stands in for a connection when there is no route: the outcome of every attempt.
    using NoRoute = RecipientOutcome;

    Task<void> run();
    Task<void> load_orders();
    /// The order that keeps a connection from leaving from this address of ours.
    const Order* order_on_source(const std::string& address) const;
    /// Takes out the targets whose source an order has stopped, and returns it; none: none was.
    const Order* leave_out_stopped(std::vector<Target>& targets, const Sources& sources) const;
    Task<void> load_warm();
    Task<void> load_backlog();
    /// What was kept of a provider, for each of our sources; returns when it is in force.
    Task<void> recall(std::string provider);
    /// Nothing: there is none. Asks until it is known.
    Task<std::optional<std::string>> note(std::string name);
    Task<void> promise(Plan::Promise promise);
    /// Looks up the names of our IPv6 addresses, again and again.
    Task<void> watch_names();
    Task<void> look_up_names();
    void use_name(const config::Source& source, ReverseName found);
    /// The addresses that a connection of this source may leave from now.
    Sources sources_of(const std::string& source) const;
    /// Puts new orders in force and keeps them; back to the old one for the target when the spool
    /// does not take them.
    Task<Result<void>> keep_orders(OperatorOrders changed, OrderTarget target);
    Task<void> alarm(Time at);
    Task<void> resolve(std::string destination);
    Task<void> refill(Plan::Refill refill);
    Task<void> connection(std::string lane);
    Task<void> converse(std::string lane, std::shared_ptr<Courier> courier);
    Task<void> turn_away(std::string lane, NoRoute outcome);
    Task<void> unreachable(std::string lane, Opened opened, Time began);
    /// Waits for work; false when the connection is to end, which the scheduler has been told.
    Task<bool> idle(std::string lane);
    /// Ends idle connections, those that have waited longest first, for sites that may not open
    /// one.
    void make_room();
    using Waiting = std::map<std::string, std::deque<std::shared_ptr<Idle>>>;
    void dismiss(Waiting::iterator lane);
    Task<Result<Loaded>> load(const Pick& pick);
    /// One transaction, the use-th of its connection; false when the connection is not to be used
    /// for another.
    Task<bool> deliver(Courier& courier,
                       std::shared_ptr<Settling> settling,
                       Pick pick,
                       unsigned use,
                       Duration idle_for);
    /// settle_attempt() beside the next message of the same connection.
    Task<void> settle_beside(std::shared_ptr<Settling> settling,
                             Pick pick,
                             Loaded loaded,
                             std::vector<RecipientOutcome> outcomes,
                             Time began,
                             unsigned use);
    Task<void> settle_attempt(Pick pick,
                              Loaded loaded,
                              std::vector<RecipientOutcome> outcomes,
                              Time began,
                              unsigned use = 0);
    std::vector<Work> put_off(const Pick& pick,
                              const std::vector<RecipientOutcome>& outcomes,
                              Batch& batch,
                              Time now);
    Task<void> set_aside(Pick pick, Failure failure);
    /// Makes the results of an attempt and their notices durable and acts on them; false: they
    /// were not kept, or not all.
    Task<bool> keep(Batch batch, const Loaded& loaded, Time began);
    /// One try; a broken spool ends everything.
    Task<Result<void>> try_commit(const Batch& batch);
    Task<bool> commit(Batch batch);
    Task<void> watch_spool();
    /// Mail does not wait for ever, and no sender in the dark, whatever it is that keeps it.
    Task<void> watch_ages();
    Task<void> look_at_ages();
    Task<void> tell_delays();
    Task<void> give_up_old();
    /// A page of works that are nearly too old, or too old.
    Task<void> end_of_time(std::vector<Work> works);
    /// Works of one message that were claimed, as they stand on disk now; others are let go.
    struct Claimed {
        Envelope envelope;
        std::vector<Work> works;
    };
    Task<Claimed> claim(std::span<const Work> works);
    /// Makes durable what becomes of claimed works without an attempt; else they are as before.
    Task<void> keep_waiting(Claimed claimed, Settlement settlement);
    Waited waited(const Work& work, const Prospect& prospect) const;
    void give_up(const std::string& why);
    /// What the outcomes of a transaction teach.
    void log_limit(const std::string& lane, const Answer& answer);
    void learn(const Pick& pick,
               const std::vector<RecipientOutcome>& outcomes,
               Time began,
               unsigned use,
               Duration idle_for);
    static std::string share_note(const std::string& share) { return "share/" + share; }
    static std::string site_note(const std::string& site) { return "site/" + site; }
    /// What was found out of the sites: whose they are, how long they let strangers wait.
    Task<void> load_sites();
    /// Keeps what has been learned, a few seconds behind.
    Task<void> keep_learned();
    Task<void> write_learned(bool last);
    Task<void> write_site(std::string site);
    /// What was found out to be no part of its provider, where that was never certain.
    Task<void> split_off(std::vector<std::string> sites);
    /// Notes of what was not used for long go; one look over all of them.
    Task<void> sweep_notes();
    Task<void> sweep(std::string prefix,
                     std::function<bool(const std::string& name, const std::string& note)> unused);
    void log_attempt(const Event& event, const Loaded& loaded, Time began);
    /// What there is to tell: the sender, and the postmaster when he wants to know.
    std::vector<NewMail> notifications(const Loaded& loaded,
                                       const std::vector<DsnRecipient>& notices);
    /// Mail without a sender that could not be delivered: counted, and a line in the log.
    void tell_double_bounces(const Envelope& envelope, const std::vector<DsnRecipient>& notices);
    void poke() { changed_.notify(); }

    DispatcherParts parts_;
    config::Snapshot settings_;
    std::shared_ptr<const RuleBook> book_;  ///< of settings_
    SettlementRules rules_;
    std::function<void(const Committed&)> on_events_;
    std::function<void(std::string)> on_broken_;
    Scheduler scheduler_;
    TraceHub trace_;
    LastDialogues dialogues_;
    std::uint64_t conversations_ = 0;  ///< since the start, for their numbers
    Signal changed_;
    TaskGroup work_;         ///< look-ups, refills, commits: short, they end by themselves
    TaskGroup connections_;  ///< conversations with receiving servers
    TaskGroup readers_;      ///< the couriers' readers
    TaskGroup timers_;       ///< the loop, alarms, the watch: may be cancelled at any time
    std::unordered_map<std::string, std::variant<Route, NoRoute>> routes_;  ///< by site
    ProviderMap providers_;
    Greylist greylist_;
    std::set<std::string> unsaved_sites_;
    bool sites_loaded_ = false;  ///< until then nothing is looked up
    Time swept_{};               ///< the notes
    bool looking_at_ages_ = false;
    /// Where the last look at what is too old ended for its length: in the line of those who were
    /// told of the delay (0) or of those who were not (1), behind that work.
    std::pair<unsigned, DueCursor> old_seen_{};
    /// Too old, but able to go: since when it has had the first turn. Bounded by the window.
    std::unordered_map<WorkKey, Time, WorkKeyHash> last_chance_;
    Waiting idle_;             ///< by lane
    std::size_t leaving_ = 0;  ///< connections that were idle and are being closed
    std::vector<std::weak_ptr<Courier>> couriers_;
    Time alarm_at_ = never;
    std::map<std::string, ReverseName> reverse_names_;  ///< of our IPv6 addresses, by address
    std::map<std::string, Time> warm_;                  ///< sources with a history
    bool orders_loaded_ = false;  ///< until then nothing is sent, and none are given
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
