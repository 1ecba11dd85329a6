#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "relay/schedule/lane.hpp"
#include "relay/schedule/operator_orders.hpp"

namespace millrace::relay {

struct ScheduleLimits {
    Ceilings per_site;  ///< the operator's, for each site
    /// Of a provider, by the rules; the operator's where they say nothing.
    std::map<std::string, Ceilings> providers;
    SourcePools sources;  ///< none: the system chooses where from
    unsigned connections_total = 500;
    std::size_t window = 20'000;             ///< works in memory
    std::size_t hot_bytes_max = 64U << 20U;  ///< message bytes kept for the first attempt
};

/// What is to be done now. The caller does it and answers with the method named.
struct Plan {
    struct Refill {
        std::string stream;
        DueCursor after;
        unsigned max;
    };
    std::vector<std::string> resolve;  ///< destinations to route → routed()
    std::vector<Refill> refill;        ///< → refilled() or refill_failed()
    /// Lanes to open a connection for → greeted() or not_greeted()
    std::vector<std::string> connect;
    std::vector<std::string> wake;  ///< lanes of which an idle connection has work → next()
    /// To be made durable before more is sent → kept() or not_kept()
    struct Promise {
        std::string note, value;
    };
    std::vector<Promise> promises;
    std::vector<std::string>
        dismiss;           ///< lanes of which an idle connection is to end: others need it
    Time wake_at = never;  ///< plan again then, or after any answer
};

/// One transaction: works of one message to one destination.
struct Pick {
    std::string stream;
    std::string lane;
    std::string site;
    MessageId message;
    std::vector<Work> works;
    std::shared_ptr<const Hot> hot;
};

/// What an open connection is to do.
struct Next {
    std::optional<Pick> pick;
    bool leave = false;  ///< without a pick: end now, others need the place; else wait as idle
};

/// What an operator is shown of a destination.
struct DestinationView {
    std::string destination, site;
    std::string provider;  ///< who runs the site; empty: not known
    std::size_t ready = 0, in_flight = 0;
    unsigned connections = 0;
    Time next_due = never;
    std::string wait_reason;  ///< empty: nothing holds it up
    Time wait_until{};
    Time learned{};    ///< when we learned of the limit that holds it up
    std::string said;  ///< in the receiver's words
};

/// Where one work stands, for people.
struct WorkView {
    Wait wait;  ///< of its stream
    std::string source, provider, site;
    bool in_flight = false;
    bool ordered = false;               ///< an operator has stopped it
    bool routing = false;               ///< its destination is being looked up
    bool opening = false;               ///< nothing stands yet, and a connection is being opened
    std::optional<std::size_t> before;  ///< works of its stream before it; none: it is on disk
    std::size_t others =
        0;  ///< works of others of its class that have their turns before it, about
    std::size_t urgent = 0;    ///< transactional works that go before it, when it is bulk
    std::size_t parties = 0;   ///< others whose mail takes turns with it
    double pace = 0;           ///< messages a second that the provider takes at most; 0: not known
    unsigned connections = 0;  ///< to the provider
};

/// What can become of a work whose time is nearly over, or over.
struct Prospect {
    enum class Standing : std::uint8_t {
        under_way,  ///< it is being delivered, or an operator is about to change it
        ordered,    ///< an operator has stopped it: it does not age meanwhile
        open,       ///< it can go soon, when its turn comes
        shut,       ///< nothing of its stream can start for long
    };
    Standing standing = Standing::open;
    Wait wait;  ///< what it waits for, as far as that is known
};

/// Decides what is sent when: streams, lanes, shares, windows. Pure: (state, now, answer) → plan;
/// no clock, no I/O.
///
/// Invariants: a work is in memory at most once; connections never exceed what their lane, their
/// share and the total allow; messages and connections in any span of t seconds never exceed what
/// is configured, restarts included; memory is bounded by the window, whatever is queued. Thread:
/// the loop's.
class Scheduler {
  public:
    explicit Scheduler(ScheduleLimits limits);
    Scheduler(const Scheduler&) = delete;

    /// New ceilings, in force at once.
    void configure(ScheduleLimits limits, Time now);
    const ScheduleLimits& limits() const { return limits_; }

    /// There is work on disk for this stream (start, release, retry now).
    void noticed(const std::string& stream, Time due);
    /// Keeps a new message in memory for its first attempt; empty when the budget is used up.
    std::shared_ptr<const Hot> keep_hot(Envelope envelope, Body body) const;
    /// New work that has just become durable; hot may be empty.
    void arrived(std::span<const Work> works, std::shared_ptr<const Hot> hot, Time now);

    Plan plan(Time now);

    void routed(const std::string& destination,
                const std::string& site,
                const std::string& provider,
                Time valid_until,
                Time now,
                const Families& there = {},
                bool direct = true);
    /// Whose the site is may have changed: the next look-ups tell.
    void route_again(const std::string& site, Time now);
    void refilled(const std::string& stream, std::vector<Work> works, unsigned asked, Time now);
    void refill_failed(const std::string& stream, Time again);
    void kept(const std::string& note, Time now);
    void not_kept(const std::string& note, Time now);

    // ---- connections

    /// The receiver has greeted us: next() may be asked.
    void greeted(const std::string& lane, Time now);
    /// It ended before that. `answer`: what the receiver said, or how it fell silent.
    void not_greeted(const std::string& lane, const Answer& answer, Time now);
    /// … because of something that is not the receiver's: nothing is learned, the lane rests.
    void not_tried(const std::string& lane, Time until, std::string reason, Time now);
    /// … because it could not be reached: it is left alone, longer each time.
    void unreachable(const std::string& lane, std::string reason, Time now);
    /// The next transaction for an open connection, at most `max` recipients; without one the
    /// connection counts as idle, or is to end.
    Next next(const std::string& lane, unsigned max, Time now);
    /// Everything ready on a lane whose connection could not be had: one attempt for all of it.
    std::vector<Pick> take_all(const std::string& lane);
    /// A transaction that next() handed out is over; its outcomes follow by passed() and refused().
    void ended(const Pick& pick, Time now);
    /// How long at least an idle connection is to be kept for what waits and may go soon; zero: no
    /// longer than any.
    Duration worth_keeping(const std::string& lane, Time now) const;
    /// A connection that next() had left idle will take no more work; it still counts until
    /// connection_closed().
    void idle_ended(const std::string& lane);
    /// One that was greeted is gone.
    void connection_closed(const std::string& lane, Time now);
    unsigned messages_per_connection(const std::string& lane) const;
    /// Whose the lane's site is.
    const std::string& provider(const std::string& lane) const {
        return lanes_.at(lane).share->share.provider();
    }
    const std::string& site(const std::string& lane) const { return lanes_.at(lane).site; }
    const std::string& source(const std::string& lane) const {
        return lanes_.at(lane).share->share.source();
    }
    /// One of its connections stands, or another one at its provider ended so lately that the
    /// receiver may count it still: whoever hangs up on a new one then is there.
    bool stands(const std::string& lane, Time now) const {
        auto const& at = lanes_.at(lane);
        return at.standing > 0 || at.share->share.just_ended(now);
    }

    // ---- outcomes

    /// A recipient was delivered to.
    void passed(const std::string& lane, const Answer& answer, Time now);
    /// A message or connection was refused, or ended without a word.
    void refused(const std::string& lane, const Answer& answer, Time now);
    /// Whether the receiver knew a recipient of the stream's; `said`: its words. Without a stream it
    /// is counted for the receiver alone.
    void unknown_user(const std::string& lane,
                      const std::string& stream,
                      bool unknown,
                      const std::string& said,
                      Time now);
    /// Not attempted after all: works go back to the head, no attempt is spent.
    void put_back(Pick pick, Time now);
    /// The outcome is durable: the work is gone, …
    void finished(const WorkKey& key);
    /// … or stands on disk again under work.due.
    void deferred(const Work& work);
    /// A work that stands on disk, greylisted by this site: release() may call it earlier.
    void park(const std::string& site, const Work& work);
    /// The site takes what is as old as that: what is parked there goes then.
    void release(const std::string& site, Duration age, Time now);
    /// An operator is about to change or remove it: from here on it counts as in flight, so that it
    /// is not delivered meanwhile; finished() or deferred() ends that. False when it is being
    /// delivered right now.
    bool claim(const Work& work);
    bool in_flight(const WorkKey& key) const;

    // ---- the end of its time

    Prospect prospect(const Work& work, Time now) const;
    /// Its turn in its stream comes next; false: it is not waiting in memory.
    bool hurry(const WorkKey& key);
    /// The same for a work that was claimed, as it stands on disk. False: there is no room in memory,
    /// and it stays on disk.
    bool put_first(const Work& work, Time now);

    /// No message starts on this lane before `until`. Never shortens a pause.
    void pause(const std::string& lane, Time until, std::string reason);
    /// On the operator's word only: what is shut to the target's mail (a block, a hold, a site that
    /// cannot be reached) is tried now instead of when its wait is over, by the next message that is
    /// due; several one after the other. How many doors that were.
    unsigned knock(const OrderTarget& target, Time now);
    /// The same for bulk mail that is held for its unknown recipients; how many lists there were.
    unsigned release_lists(const OrderTarget& target, Time now);

    // ---- our sources

    /// Nothing leaves from there before `until`: it is no address of this machine, or its name is
    /// not in order. Mail that may leaves from others of its pool; else it waits, and `why` is
    /// said.
    void source_down(const std::string& source, Time until, std::string why, Time now);
    void source_up(const std::string& source, Time now);
    /// Sources that the operator's logs show to have a history, since when.
    void set_warm(std::map<std::string, Time> since, Time now);
    /// The source that a stream leaves from, as far as it is known before its destination is
    /// routed.
    std::string source_of(const std::string& stream) const;

    // ---- what was learned

    /// Sites that shut us out again and again while others of their provider take mail: they are not
    /// the same back end. Each is named once.
    std::vector<std::string> take_apart() { return std::exchange(apart_, {}); }

    /// True before restore(): what was kept of it is to be read first.
    bool is_new(const std::string& share) const { return !shares_.contains(share); }
    void restore(const std::string& share, const std::string& note, Time now);
    /// Shares that have learned something since, with their notes; an empty one: nothing is left to
    /// be kept.
    std::vector<std::pair<std::string, std::string>> unsaved();
    /// The notes, by their names, that a new share is restored from besides its own.
    std::vector<std::string> rations_of(const std::string& source,
                                        const std::string& provider) const;
    /// After restore(); `value` may be empty: there was none.
    void restore_ration(const std::string& source,
                        const std::string& provider,
                        const std::string& note,
                        const std::string& value,
                        Time now);
    /// Rations of which something is to be kept that no promise has to wait for. `last`: this is an
    /// orderly end, and what is promised and not used is given back.
    std::vector<std::pair<std::string, std::string>> unsaved_rations(bool last = false);
    /// Lets go of shares without lanes of which everything is kept; before unsaved(), when the notes
    /// of the last one have been written. A share that is needed again is new, and restored.
    void forget(Time now);
    static std::string share_name(const std::string& source, const std::string& provider);

    /// In force at once: what they hold leaves memory and stays on disk, what they no longer hold
    /// is read again. Messages under way go on.
    void set_orders(OperatorOrders orders, Time now);
    const OperatorOrders& orders() const { return orders_; }

    std::vector<DestinationView> destinations(Time now) const;
    std::optional<DestinationView> destination(const std::string& name, Time now) const;
    /// The pause of the stream's lane, or that its site cannot be reached; nothing: neither.
    Wait shut_out(const std::string& stream, Time now) const;
    const std::map<std::string, ShareState>& shares() const { return shares_; }
    /// Where the work stands among the mail in memory. `before`, if it is known better (from disk),
    /// is its place in its own stream. Reads every stream once: for an operator's question.
    WorkView work(const Work& work, std::optional<std::size_t> before, Time now) const;
    std::size_t in_memory() const { return window_.size(); }
    unsigned connections() const { return connections_; }
    /// Lanes with work that would connect if connections_total allowed it.
    std::size_t starved_lanes() const { return wants_connection_.size(); }

  private:
    struct Parked {
        Work work;
        std::string site;
        Time early = never;  ///< goes then; never: when it is due
    };
    /// A site beside the others of its provider.
    void compare(Lane& lane, const Answer& answer, Time now);
    bool is_of(const Share& share, const OrderTarget& target) const;
    bool is_of(const StreamQueue& stream, const OrderTarget& target) const;
    void unpark(const WorkKey& key);
    void call_early(Time now);

    struct Place {
        StreamQueue* stream;
        bool flying;
    };
    using Agenda = std::set<std::pair<Time, std::string>>;

    StreamQueue& stream_of(const std::string& name);
    Lane& lane_of(const std::string& source, const Destination& destination, Time now);
    std::string choose_source(const StreamQueue& stream) const;
    const OwnSource* own_source(const StreamQueue& stream) const;
    void set_rations(ShareState& share, Time now);
    struct Trouble {
        Time until{};
        std::string why;
    };
    const Trouble* trouble_of(const std::string& source, Time now) const;
    bool stopped_by_order(const OwnSource& source, Time now) const;
    bool drained(const OwnSource& source, Time now) const;
    /// Where mail of this stream may go instead, because its source cannot take it.
    struct Refuge {
        unsigned rank = 0;
        bool tried_too = false;  ///< also mail that has been tried from its source
    };
    std::optional<Refuge> refuge(const StreamQueue& stream, Time now) const;
    /// When mail that is diverted may go; never: there is no refuge.
    Time refuge_from(const StreamQueue& stream, Time now) const;
    /// Works in memory that stand for the stream: its own, and those diverted from it.
    std::size_t ready_for(const StreamQueue& stream, Time now) const;
    void attend_homes(const StreamQueue& stream);
    /// Gives a new stream of a destination that is routed its lane, if its share is known.
    void join_lane(StreamQueue& stream, Time now);
    void divert(StreamQueue& stream, Time now);
    /// Until when the source itself, or a ration, keeps the stream; `now`: not.
    Time stopped_until(const StreamQueue& stream, Time now) const;
    Time warm_up_at(const Lane& lane, const std::string& sender_domain, Time now) const;
    template <class Do>
    void each_ration(Lane& lane, const std::string& sender_domain, Do what);
    bool covered(StreamQueue& stream, Time now);
    void promise(Plan& plan, Time now);
    Ration* ration(const std::string& note, ShareState*& share);
    /// A work leaves memory and stands on disk, perhaps under a stream that it was diverted from.
    void left_to_disk(StreamQueue& stream, const Work& work, Time now);
    void settled_at_home(const StreamQueue& stream, const WorkKey& key);
    void tell_neighbours(const Lane& lane, const Block::Learned& before, Time now);
    void take_rations(StreamQueue& stream, Time now);
    void recover(ShareState& share, Time at);
    void refused(Lane& lane, const Answer& answer, Time now);
    void count_passed(Lane& lane, const Answer& answer, Time now);
    void count_refused(Lane& lane, const Answer& answer, Time now);
    Wait source_wait(const StreamQueue& stream, Time now) const;
    template <class Do>
    void each_home(const StreamQueue& stream, Do what);
    ShareState& share_of(const std::string& source, const std::string& provider, Time now);
    const Ceilings& ceilings_of(const std::string& provider) const;
    const Order* order_on(const StreamQueue& stream, Time received, bool bound, Time now) const;
    /// Whether an order keeps this work from being sent now; noted in the stream.
    bool held_by_order(StreamQueue& stream, const Work& work, Time now);
    /// Whether it keeps all of the stream, whatever comes; noted too.
    bool held_by_order(StreamQueue& stream, Time now);
    /// Takes everything out of memory that an order holds.
    void set_aside(StreamQueue& stream, Time now);
    void orders_changed(Time now);
    bool take_in(StreamQueue& stream, Work work, std::shared_ptr<const Hot> hot);
    void enter_turns(StreamQueue& stream);
    void leave_turns(StreamQueue& stream);
    void enter_ring(Lane& lane);
    void leave_ring(Lane& lane);
    void renew_ticket(Lane& lane);
    void leave_lane(StreamQueue& stream);
    void counted(StreamQueue& stream, int works);
    void recount(StreamQueue& stream);
    void attend(StreamQueue& stream, Time at);
    void attend(ShareState& share, Time at);
    StreamQueue* leave_window(const WorkKey& key);
    void begin_flight(StreamQueue& stream, const Pick& pick);
    void look_at(StreamQueue& stream, Time now, Plan& plan);
    void serve(ShareState& share, Time now, Plan& plan);
    /// What a visit to a lane came to.
    enum class Service : std::uint8_t {
        content,  ///< it has what it may have now
        given,    ///< one connection more; it may want another
        starved,  ///< it has none, and its share has none left
        waits,    ///< it has none, and its share opens none at the moment
        spent,    ///< nothing more can be done for any lane of the share now
    };
    Service serve(Lane& lane, Time now, Plan& plan);
    Service open_one(Lane& lane, Time now, Plan& plan);
    /// One class of a share's lanes, each once.
    Service serve_ring(ShareState& share, unsigned klass, Time now, Plan& plan);
    void set_starved(Lane& lane, std::optional<unsigned> klass);
    void make_room(ShareState& share, Plan& plan);
    void tidy(StreamQueue& stream);
    void tidy(const std::string& lane);
    bool room(Class klass) const;
    /// … and its provider does not have too much of it already.
    bool room(const StreamQueue& stream) const;
    std::size_t left(Class klass) const;
    std::size_t portion() const;
    std::size_t portion(const StreamQueue& stream) const;
    Time held_until(const StreamQueue& stream, Time now) const;
    /// For its unknown recipients.
    static bool list_held(const StreamQueue& stream);
    void free_window(Time now);
    Pick take_front(StreamQueue& stream, unsigned max);
    /// The stream whose turn it is on this lane, and that may send; null: none.
    StreamQueue* turn(Lane& lane, Time now);
    bool lane_open(const Lane& lane, Time now) const;
    bool needed_elsewhere(const Lane& lane, Time now) const;
    Wait wait(const StreamQueue& stream, Time now) const;
    DestinationView view(const Destination& destination, Time now) const;

    ScheduleLimits limits_;
    std::map<std::string, Destination> destinations_;
    std::map<std::string, StreamQueue> streams_;
    std::map<std::string, Lane> lanes_;
    std::map<std::string, ShareState> shares_;
    std::unordered_map<WorkKey, Place, WorkKeyHash> window_;
    std::unordered_map<WorkKey, Parked, WorkKeyHash> parked_;  ///< bounded by the window
    std::map<std::string, std::set<WorkKey>> parked_by_site_;
    std::set<std::pair<Time, WorkKey>> early_;
    Agenda stream_agenda_;
    Agenda share_agenda_;
    std::vector<std::string> apart_;
    std::set<std::string> wants_room_;        ///< streams that would refill if the window had room
    std::string last_let_in_;                 ///< of those
    Time searched_{};                         ///< the window, for mail that has to wait for long
    std::set<std::string> wants_connection_;  ///< lanes that would connect if the total allowed it
    std::string last_admitted_;               ///< of those, who had his turn last
    unsigned connections_ = 0;
    std::size_t bulk_in_memory_ = 0;
    OperatorOrders orders_;
    /// Works whose source was tried, though that counted as no attempt of theirs; bounded by the
    /// window.
    std::unordered_set<WorkKey, WorkKeyHash> bound_;
    std::map<std::string, Trouble> troubles_;  ///< by source
    std::map<std::string, Time> warm_;         ///< sources with a history
    std::set<std::string> wants_promise_;      ///< notes of rations
    std::shared_ptr<std::size_t> hot_used_ = std::make_shared<std::size_t>(0);
};

}  // namespace millrace::relay
