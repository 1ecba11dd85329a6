#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/rehearse/hidden_limits.hpp"
#include "relay/rehearse/paper_queue.hpp"
#include "relay/schedule/greylist.hpp"
#include "relay/schedule/provider_map.hpp"
#include "relay/schedule/retry.hpp"
#include "relay/schedule/scheduler.hpp"
#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {

/// Everything that a rehearsal begins with. A value; the same one gives the same day.
struct RehearsalSetup {
    struct Place {  ///< a destination and where it leads
        std::string destination;
        SiteFacts facts;           ///< the provider is found from these, or declared
        std::size_t receiver = 0;  ///< index
    };
    struct Mail {  ///< so many messages of one stream, queued or to come
        Time at{};
        StreamKey stream;
        std::uint64_t count = 0;
        bool on_disk = false;  ///< they were queued before; else they arrive
    };
    struct Change {
        Time at{};
        std::size_t receiver = 0;
        HiddenLimits limits;
    };
    struct Restart {
        Time at{};
        bool crash = false;  ///< what was learned in the last two seconds is lost
        Duration away = std::chrono::seconds(5);
    };

    Time begin{};
    Time end = never;  ///< it stops here, whatever waits
    std::uint64_t seed = 1;
    ScheduleLimits limits;
    RetrySchedule retry;
    Duration idle_connection = std::chrono::seconds(2);
    std::vector<std::pair<std::string, HiddenLimits>> receivers;
    std::vector<Place> places;
    std::vector<Mail> mail;  ///< in order of time
    std::vector<Change> changes;
    std::vector<Restart> restarts;
    std::map<std::string, std::string> notes;  ///< of shares, by name (Scheduler::share_name)
    std::shared_ptr<const RuleBook> rules = shipped_book();
};

/// Something that crossed to a receiver, for those who look on.
struct Contact {
    Time at{};
    std::size_t receiver = 0;
    bool message = false;  ///< else the opening of a connection
    std::string site;
    StreamKey stream;       ///< of a message
    Refusal refusal;        ///< none: taken
    unsigned standing = 0;  ///< connections of ours at the receiver, with this one if it was taken
    unsigned at_site = 0;   ///< … to this site, as we count them: from the start to the goodbye
    unsigned in_total = 0;  ///< … to all
    unsigned use = 0;       ///< which message of its connection, from 1
};

/// What became of one destination.
struct RehearsedDestination {
    std::string destination;
    std::uint64_t mail = 0, delivered = 0, bounced = 0, deferrals = 0;
    Time last_delivery{};  ///< of the last one; zero: none
    std::uint64_t left() const { return mail - delivered - bounced; }
};

/// The production scheduler in virtual time against modelled receivers: a day in less than a
/// second. No I/O, no clock, no thread. Drives the Scheduler as relay/deliveries.cpp does; the
/// queue is kept in memory. Deterministic: the same setup, the same day.
class Rehearsal {
  public:
    explicit Rehearsal(RehearsalSetup setup);
    ~Rehearsal();
    Rehearsal(const Rehearsal&) = delete;

    /// Called for every attempt to connect and every message, in order of time.
    std::function<void(const Contact&)> on_contact;
    /// Called when a message is through: when it was queued, and now.
    std::function<void(const StreamKey&, Time queued, Time now)> on_delivered;
    /// Called after each restart.
    std::function<void(Time)> on_restart;

    /// Until nothing is left to do, the setup's end, or so many events; returns false when only the
    /// last stopped it.
    bool run(std::uint64_t events_most = ~std::uint64_t{0});
    /// Until `until` and no further; may be called again.
    bool run_until(Time until, std::uint64_t events_most = ~std::uint64_t{0});

    Time now() const { return now_; }
    const std::vector<RehearsedDestination>& destinations() const { return results_; }
    const HiddenReceiver& receiver(std::size_t index) const { return *receivers_[index]; }
    const Scheduler& scheduler() const { return *scheduler_; }
    /// Of every share, as it would be found after the last restart or an orderly end now.
    std::map<std::string, std::string> notes();
    std::uint64_t events() const { return events_; }
    std::uint64_t queued() const { return queue_.size(); }
    /// The scheduler asked to be asked again and again without anything changing: a fault of its.
    bool spun() const { return spun_; }

  private:
    struct Connection {
        std::string lane;
        std::size_t receiver = 0;
        Time began{};  ///< of the opening, or of the message under way
        Time idle_since{};
        Time patient_until{};
        unsigned sent = 0;
        bool standing = false;
        bool idle = false;
        bool leaving = false;  ///< counted in leaving_
        bool cut = false;      ///< the receiver has ended it
        std::optional<Pick> pick;
        Refusal verdict;
        Duration idle_for{};
    };
    enum class Kind : std::uint8_t {
        mail,
        change,
        restart,
        back,
        plan,
        save,
        answered,
        ended,
        patience,
        gone
    };
    struct Event {
        Time at;
        std::uint64_t order;
        Kind kind;
        std::uint64_t subject;  ///< connection, or index into the setup
        bool operator>(const Event& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };

    void later(Time at, Kind kind, std::uint64_t subject = 0);
    void handle(const Event& event);
    void boot();
    void go_down(bool crash);
    void mail_comes(const RehearsalSetup::Mail& mail);
    void plan();
    void resolve(const std::string& destination);
    void refill(const Plan::Refill& wanted);
    void open(const std::string& lane);
    void answered(std::uint64_t id);
    void converse(std::uint64_t id);
    void ended(std::uint64_t id);
    void learn(const Connection& connection, const Typed& typed);
    void settle(Connection& connection, const Typed& typed);
    void leave(std::uint64_t id);
    void gone(std::uint64_t id);
    void patience_ends(std::uint64_t id);
    void save(bool last = false);
    void deferred(const Pick& pick, std::size_t place, bool hold_back, const Typed& typed);
    void takes_strangers(const Pick& pick);
    void dismiss(const std::string& lane);
    void make_room();
    Typed type(const std::string& lane, const Refusal& refusal, const std::string& sender) const;
    void witness(const Connection& connection, const StreamKey* stream, const Refusal& refusal);

    RehearsalSetup setup_;
    SeededRandom random_;
    std::vector<std::unique_ptr<HiddenReceiver>> receivers_;
    std::map<std::string, std::size_t> places_;  ///< by destination
    std::map<std::string, std::size_t> sites_;   ///< → receiver
    std::vector<RehearsedDestination> results_;  ///< beside setup_.places
    PaperQueue queue_;
    std::unique_ptr<Scheduler> scheduler_;
    std::unique_ptr<ProviderMap> providers_;
    Greylist greylist_;
    std::map<std::string, std::string> notes_;  ///< what is durable
    std::priority_queue<Event, std::vector<Event>, std::greater<>> agenda_;
    std::unordered_map<std::uint64_t, Connection> connections_;
    std::map<std::string, std::vector<std::uint64_t>> idle_;
    std::map<std::string, unsigned> open_;  ///< connections by lane
    std::size_t leaving_ = 0;
    Time now_{};
    Time plan_at_ = never;
    bool up_ = false, saving_ = false, poked_ = false, spun_ = false;
    std::size_t mail_left_ = 0;
    Time back_at_{};
    std::uint64_t order_ = 0, next_id_ = 1, events_ = 0;
};

}  // namespace millrace::relay
