#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "relay/schedule/block.hpp"
#include "relay/schedule/connection_knob.hpp"
#include "relay/schedule/rate_knob.hpp"
#include "relay/schedule/token_bucket.hpp"
#include "relay/schedule/unknown_users.hpp"
#include "relay/schedule/use_knob.hpp"
#include "relay/shaping/ceilings.hpp"
#include "relay/shaping/typed.hpp"

namespace millrace::relay {

/// Why something waits, and how long.
struct Wait {
    std::string reason;         ///< for people; empty: it does not wait
    Time until = never;         ///< `never`: for an event, not for a time
    Time learned{};             ///< when we learned of it; zero: it is a setting
    std::string said;           ///< the receiver's words
    Blame cause = Blame::none;  ///< of a block, a hold, or a limit that was learned
    std::string release = {};   ///< the operator's command that ends it; empty: it ends by itself
    std::string mended = {};    ///< what to `millrace resume` when the cause of a block is gone
    bool any() const { return !reason.empty(); }
};

/// What came of one attempt to open a connection or to send a message, for the controller's sake.
struct Answer {
    Typed typed;
    std::string said;     ///< the reply, one line
    Time began{};         ///< of the attempt
    unsigned use = 0;     ///< which message of its connection, from 1; 0: the opening
    bool silent = false;  ///< the connection ended without a word
    Duration idle_for{};  ///< how long the connection had rested before
    std::string sender_domain;
    bool bulk = false;
    bool over_ipv6 = false;
};

/// What one provider lets one of our addresses do: the controller. It knows the ceilings, finds the
/// limits beneath them, and remembers them. Pure: (state, now, answer) → state; no clock, no I/O.
/// Thread: the scheduler's.
class Share {
  public:
    Share(std::string source, std::string provider, const Ceilings& ceilings, Time now);

    const std::string& source() const { return source_; }
    const std::string& provider() const { return provider_; }
    void set_ceilings(const Ceilings& ceilings, Time now);
    const Ceilings& ceilings() const { return ceilings_; }

    // ---- questions

    /// How many connections may be begun now.
    unsigned connections_more(Time now) const;
    /// The earliest time for the next connection, as far as time decides; `now` when at once.
    Time connect_at(Time now) const;
    /// The earliest time for a message of this sender's domain, as far as time decides.
    Time message_at(Time now) const;
    Time sender_at(const std::string& sender_domain, Time now) const;
    /// No more messages at the moment, however many connections stand.
    bool crowded(Time now) const;
    bool sender_crowded(const std::string& sender_domain) const;
    /// It waits for the rate that is being measured with another one's mail.
    bool sender_follows(const std::string& sender_domain) const;
    unsigned messages_per_connection() const;
    /// Connections worth having at the pace that is known.
    unsigned useful_connections() const;
    /// Why nothing more starts, for people.
    Wait wait(Time now) const;
    Wait sender_wait(const std::string& sender_domain, Time now) const;
    /// Of bulk mail, by party.
    Wait list_wait(const std::string& party) const;

    // ---- what happens

    void opening_begins(Time now);
    void greeted(Time now);
    /// It ended before it was greeted.
    void opening_ends() { --opening_; }
    void closed(Time now);
    void message_begins(const std::string& sender_domain, Time now);
    /// It did not begin after all.
    void message_given_back(const std::string& sender_domain);
    /// One transaction is over; before passed() or refused().
    void message_ends(const std::string& sender_domain);
    void passed(const Answer& answer, Time now);
    void refused(const Answer& answer, Time now);
    void unknown_user(bool unknown, Time now);
    /// The same for one recipient of a party's bulk mail; true: that mail is held from now on.
    bool list_told(const std::string& party, bool unknown, const std::string& said, Time now);
    /// On the operator's word; false: it was not held.
    bool release_list(const std::string& party);
    /// There is nothing to send.
    void lapse(Time now);
    /// It shut us out or could not be reached: begin with one connection again.
    void slow_start(Time now);
    /// On the operator's word: the door that is shut for our address is tried `then` instead of
    /// when its wait is over, by one message; false: it is not shut.
    bool knock(Time then);
    /// The same for the one that is shut for this domain's mail.
    bool knock(const std::string& sender_domain, Time then);
    /// Another address of our network was shut out, and that counts for this one too …
    void shut_with(const Block::Learned& block, Time now);
    /// … or was let in again.
    void open_with(Blame cause);

    unsigned standing() const { return standing_; }
    /// A connection of ours has just ended; the receiver may not have seen it yet.
    bool just_ended(Time now) const { return connections_.just_closed(now); }
    unsigned opening() const { return opening_; }
    unsigned in_flight() const { return in_flight_; }
    const ConnectionKnob& connections() const { return connections_; }
    const RateKnob& messages() const { return messages_; }
    const RateKnob& openings() const { return openings_; }
    const Block& block() const { return block_; }
    const std::map<std::string, RateKnob>& senders() const { return senders_; }
    const std::map<std::string, Block>& holds() const { return holds_; }
    const UnknownUsers& lists() const { return lists_; }
    double unknown_share() const;
    /// How long a message takes, of late, in seconds; 0: none is through yet.
    double took() const { return took_; }
    std::uint64_t refusals() const { return refusals_; }
    const UseKnob& uses() const { return uses_; }
    /// How long a message takes, seconds, on the average of the last hundred; 0: none yet.
    double message_takes() const { return mean_; }
    /// The most that went through in a minute without a refusal: so much it takes for certain.
    double minute_most() const { return minute_most_; }

    /// Something was learned since the last note().
    bool changed() const { return changed_; }
    /// What has been learned, to be kept.
    std::string note();
    /// The same for those who only look: what is unsaved stays unsaved.
    std::string kept() const;
    /// Something in it would be missed: a limit, a block, a pace that was never refused. Else it is
    /// worth no note.
    bool worth_keeping() const;
    /// When the share of a note was used last, to the day; zero: it does not say.
    static Time last_used(const std::string& note);
    /// What was kept. A note that cannot be read is an empty one: what it said is learned anew.
    void restore(const std::string& note, Time now);

  private:
    void refused_connection(const Answer& answer, Time now);
    void refused_rate(const Answer& answer, Time now);
    void refused_sender(const Answer& answer, Time now, Duration least);
    void lead_senders(Time now);
    void silence(const Answer& answer, Time now);
    void puzzle(const Answer& answer, Time now);
    void count_refusal(Time now);
    /// Refusals of the last minute.
    std::size_t recent(Time now) const;
    Time fewer_at(std::size_t refusals, Time now) const;
    Time patience_until(Time now) const;
    void set_calm(Time now);
    unsigned file() const;

    std::string source_, provider_;
    Ceilings ceilings_;
    ConnectionKnob connections_;
    RateKnob messages_;
    RateKnob openings_;
    Block block_;                              ///< of the source
    std::map<std::string, RateKnob> senders_;  ///< by sender's domain; bounded
    std::map<std::string, unsigned> sender_flights_;
    std::string measured_sender_;         ///< whose rate is looked for
    std::set<std::string> followers_;     ///< who go at its pace
    std::map<std::string, Block> holds_;  ///< of a sender's domain: compliance
    UnknownUsers lists_;                  ///< of bulk mail
    TokenBucket second_, connection_second_;
    UseKnob uses_;      ///< of a connection
    unsigned odd_ = 0;  ///< refusals in a row that nobody understands, in the same words
    std::string odd_words_;
    UseKnob::Learned suspected_;  ///< uses_ before the last silent end
    Time suspected_at_{};
    unsigned standing_ = 0, opening_ = 0, in_flight_ = 0;
    unsigned explored_ = 0;    ///< messages through while one at a time goes out
    std::deque<Time> recent_;  ///< refusals of the last minute
    Time too_fast_at_{};       ///< the last refusal for the rate
    std::uint64_t refusals_ = 0;
    Time last_passed_{}, last_trouble_{};
    double taken_ = 0, unknown_ = 0;  ///< recipients of late, and those nobody knows
    Time counted_{};
    double took_ = 0;  ///< seconds that a message takes, of late
    double mean_ = 0;  ///< the same over the last hundred
    unsigned averaged_ = 0;
    Time minute_{};                               ///< began …
    double minute_passed_ = 0, minute_most_ = 0;  ///< messages through in it, and in the best one
    Time used_{};  ///< when something was sent, to the day
    bool changed_ = false;
};

/// `39 messages a second`, `12.5 messages a minute`: in the unit that gives at least one.
std::string pace_text(double per_second);

}  // namespace millrace::relay
