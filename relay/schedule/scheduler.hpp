#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/schedule/destination_queue.hpp"

namespace millrace::relay {

struct ScheduleLimits {
    LaneLimits lane;
    unsigned connections_total = 500;
    std::size_t window = 20'000;             ///< works in memory
    std::size_t hot_bytes_max = 64U << 20U;  ///< message bytes kept for the first attempt
};

/// What is to be done now. The caller does it and answers with the method named.
struct Plan {
    struct Refill {
        std::string destination;
        DueCursor after;
        unsigned max;
    };
    std::vector<std::string> resolve;  ///< destinations to route → routed()
    std::vector<Refill> refill;        ///< → refilled() or refill_failed()
    std::vector<std::string>
        connect;                    ///< sites to open a connection to → next()… connection_closed()
    std::vector<std::string> wake;  ///< sites of which an idle connection has work → next()
    Time wake_at = never;           ///< plan again then, or after any answer
};

/// One transaction: works of one message to one destination.
struct Pick {
    std::string destination;
    std::string site;
    MessageId message;
    std::vector<Work> works;
    std::shared_ptr<const Hot> hot;
};

/// How a connection ended, for the lane's sake.
struct ConnectionEnd {
    bool reached = true;  ///< it got as far as taking messages
    bool was_idle = false;
    std::string reason;  ///< when not reached: why, for the operator
};

/// What an operator is shown of a destination.
struct DestinationView {
    std::string destination, site;
    std::size_t ready = 0, in_flight = 0;
    unsigned connections = 0;
    Time next_due = never;
    std::string wait_reason;  ///< empty: nothing holds it up
    Time wait_until{};
};

/// Decides what is sent when: lanes, windows, limits. Pure: (state, now, answer) → plan; no clock,
/// no I/O.
///
/// Invariants: a work is in memory at most once; connections of a lane never exceed its limit;
/// messages and connections in any span of t seconds never exceed rate × t + burst, restarts
/// included; memory is bounded by the window, whatever is queued. Thread: the loop's.
class Scheduler {
  public:
    explicit Scheduler(ScheduleLimits limits);
    Scheduler(const Scheduler&) = delete;

    /// New ceilings, in force at once.
    void configure(const ScheduleLimits& limits, Time now);

    /// There is work on disk for this destination (start, release, retry now).
    void noticed(const std::string& destination, Time due);
    /// Keeps a new message in memory for its first attempt; empty when the budget is used up.
    std::shared_ptr<const Hot> keep_hot(Envelope envelope, Body body) const;
    /// New work that has just become durable; hot may be empty.
    void arrived(std::span<const Work> works, std::shared_ptr<const Hot> hot, Time now);

    Plan plan(Time now);

    void routed(const std::string& destination,
                const std::string& site,
                Time valid_until,
                Time now);
    void refilled(const std::string& destination,
                  std::vector<Work> works,
                  unsigned asked,
                  Time now);
    void refill_failed(const std::string& destination, Time again);

    /// The next transaction for an open connection, at most `max` recipients; none: nothing to send
    /// now, and the connection counts as idle from here on.
    std::optional<Pick> next(const std::string& site, unsigned max, Time now);
    /// Everything ready on a lane whose connection could not be had: one attempt for all of it.
    std::vector<Pick> take_all(const std::string& site);
    /// Not attempted after all: works go back to the head, no attempt is spent.
    void put_back(Pick pick, Time now);
    /// The outcome is durable: the work is gone, …
    void finished(const WorkKey& key);
    /// … or stands on disk again under work.due.
    void deferred(const Work& work);
    /// An operator is about to change or remove it: from here on it counts as in flight, so that it
    /// is not delivered meanwhile; finished() or deferred() ends that. False when it is being
    /// delivered right now.
    bool claim(const Work& work);
    bool in_flight(const WorkKey& key) const;

    /// A message went through: the lane may grow.
    void succeeded(const std::string& site);
    /// A connection that next() had left idle will take no more work; it still counts as open until
    /// connection_closed(), which is then told was_idle = false.
    void idle_ended(const std::string& site);
    void connection_closed(const std::string& site, const ConnectionEnd& end, Time now);
    /// No message starts on this lane before `until`. Never shortens a pause.
    void pause(const std::string& site, Time until, std::string reason);
    /// No new connection before `until`, and one fewer than now; those that are open may go on.
    void hold_connections(const std::string& site, Time until, std::string reason);
    /// On the operator's word only.
    void resume(const std::string& site, Time now);

    std::vector<DestinationView> destinations(Time now) const;
    std::optional<DestinationView> destination(const std::string& name, Time now) const;
    std::size_t in_memory() const { return window_.size(); }
    unsigned connections() const { return connections_; }
    /// Sites with work that would connect if connections_total allowed it.
    std::size_t starved_sites() const { return wants_connection_.size(); }
    /// Lanes with a pause that ends after `now`: to be kept over a restart.
    std::vector<std::pair<std::string, Time>> pauses(Time now) const;

  private:
    struct Place {
        DestinationQueue* queue;
        bool flying;
    };
    using Agenda = std::set<std::pair<Time, std::string>>;

    DestinationQueue& queue_of(const std::string& destination);
    Lane& lane_of(const std::string& site, Time now);
    bool take_in(DestinationQueue& queue, Work work, std::shared_ptr<const Hot> hot);
    void enter_rings(DestinationQueue& queue);
    void leave_lane(DestinationQueue& queue);
    void tidy(const std::string& site);
    void attend(DestinationQueue& queue, Time at);
    void attend(Lane& lane, Time at);
    DestinationQueue* leave_window(const WorkKey& key);
    void begin_flight(DestinationQueue& queue, const Pick& pick);
    void look_at(DestinationQueue& queue, Time now, Plan& plan);
    void look_at(Lane& lane, Time now, Plan& plan);
    void tidy(DestinationQueue& queue);
    bool room() const { return window_.size() < limits_.window; }
    Pick take_front(DestinationQueue& queue, unsigned klass, unsigned max);
    void leave_rings(DestinationQueue& queue);
    DestinationQueue* turn(Lane& lane, unsigned& klass);
    DestinationView view(const DestinationQueue& queue, Time now) const;

    ScheduleLimits limits_;
    std::map<std::string, DestinationQueue> queues_;
    std::map<std::string, Lane> lanes_;
    std::unordered_map<WorkKey, Place, WorkKeyHash> window_;
    Agenda queue_agenda_;
    Agenda lane_agenda_;
    std::set<std::string> wants_room_;  ///< destinations that would refill if the window had room
    std::set<std::string> wants_connection_;  ///< sites that would connect if the total allowed it
    std::string last_admitted_;               ///< of those, who had his turn last
    unsigned connections_ = 0;
    std::shared_ptr<std::size_t> hot_used_ = std::make_shared<std::size_t>(0);
};

}  // namespace millrace::relay
