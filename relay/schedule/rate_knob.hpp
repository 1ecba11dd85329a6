#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// Finds the rate that a receiver takes, from its refusals, and stays just under it. Pure: (state,
/// now, answer) → state.
///
/// Whatever counts at the receiver – a bucket that fills, or a window of a minute or a day –
/// between two moments at which it refuses it has let through what it allows for that span, give or
/// take one message; and between two moments at which a closed door opens, exactly that. So the
/// rate is measured from refusal to refusal, or from opening to opening. Which of the two holds
/// shows when a door that was closed for long opens: a bucket has one message, a window has many.
/// What is known is raised again only in small steps, and only while there is demand and peace
/// (README.md).
///
/// Starts in flight when a refusal comes are part of it: they change nothing more.
class RateKnob {
  public:
    /// What has been learned; survives a restart.
    struct Learned {
        double pace = 0;       ///< starts a second; 0: no limit known
        double good = 0;       ///< passed without a refusal
        double bad = 0;        ///< refused; 0: never
        bool settled = false;  ///< good and bad are close: only rare probes from here on
        Time since{};          ///< of the refusal that taught it
        Time rest_until{};     ///< nothing starts before
        Duration rest{};       ///< the last rest; the next one for the same trouble is twice that
        std::uint32_t refusals = 0;
        std::string said;  ///< the last refusal
        /// While the door stays shut after what was the first refusal: since when, and how many had
        /// passed; what it allows is that many in the time until it opens.
        bool exploring = false;
        Time began{};
        std::uint64_t passed = 0;
        Duration scale{};  ///< how long the receiver's own memory seems to be
        Time shut{};       ///< first refusal since the last message that passed; zero: it takes
        bool operator==(const Learned&) const = default;
    };

    /// When the next one may start; `now` when at once.
    Time next(Time now) const;
    bool ready(Time now) const { return next(now) <= now; }
    /// Between the first refusal and the first measure one at a time goes out; and when a door
    /// opens that was closed for long.
    bool one_at_a_time() const { return learned_.exploring || trial_ > 0; }

    /// One starts. ready(now) must hold.
    void take(Time now);
    /// It did not start after all.
    void give_back();
    /// The receiver took it.
    void passed(Time began, Time now);
    /// It was refused for the rate. `least`: the rest that the receiver, or a rule, asks for;
    /// `flying`: others that are under way.
    void refused(Time began, Time now, Duration least, unsigned flying = 0);
    /// … in these words.
    void heard(const std::string& said) { learned_.said = said; }
    /// What the same receiver allows another one like this: no search of its own, until refused.
    void follow(double pace, Time now);
    /// There was nothing to send: what follows measures nothing.
    void lapse(Time now);
    /// Something else than its rate keeps us from coming when the receiver has named the time.
    void kept_away() { kept_away_ = true; }
    /// Whether raising is allowed (design §5: never while refusals or complaints rise).
    void calm(bool yes) { calm_ = yes; }

    bool known() const { return learned_.pace > 0; }
    const Learned& learned() const { return learned_; }
    void restore(const Learned& learned, Time now);

  private:
    void raise(Time now);
    void opens(Time began, Time now);
    void tried(Time now);
    void narrow(Time now);
    void measure(Time now);
    void counts_one_by_one(unsigned passed, Time now);
    void fall_back(Time now);
    void narrowed(Time now);
    void settle(double pace, Time now);
    void begin_segment(Time now);
    Duration rest_after(Duration rest, Time now);

    Learned learned_;
    Time next_at_{};  ///< the pace's next start
    Time last_take_{};
    double gap_ = 0;          ///< seconds of it that the last take() cost
    bool narrowing_ = false;  ///< while exploring: the rests become shorter
    bool calm_ = true;
    bool lapsed_ = false;  ///< the present segment has a hole
    Time reacted_{};       ///< starts before this belong to the refusal
    Time anchor_{};        ///< since when is counted; zero: never
    std::uint64_t passed_since_anchor_ = 0;
    std::uint64_t passed_since_refusal_ = 0;
    double slowest_ = 0;                 ///< least pace since the anchor
    bool knocked_since_anchor_ = false;  ///< refused at once, after a rest
    unsigned trial_ = 0;        ///< messages through since the door opened; 0: that is decided
    Time opened_{};             ///< when a closed door opened, the last time but one …
    std::uint64_t let_in_ = 0;  ///< … and so many have passed since
    Time opening_{};            ///< … the last time;
    Time tried_at_{};           ///< when the first message passed then
    bool whole_ = true;         ///< everything that passed since learned_.began is counted
    unsigned begun_since_refusal_ = 0;
    Time first_begun_{};      ///< of these
    double search_by_ = 1.1;  ///< a measure of few says little, and is raised in longer steps
    Duration window_{};      ///< from one opening to the next, when it counts in windows
    Time closed_since_{};    ///< before that
    Time knocked_{};         ///< the last time that this was refused while it was closed
    bool turned_ = false;    ///< the rest ends when a window may be over
    bool windowed_ = false;  ///< many at once passed when it opened, the last time
    bool kept_away_ = false;  ///< since it closed
    bool timed_ = false;     ///< for how long it was closed will be known
    Time raise_at_{};
    Duration probe_wait_{};
    double hour_base_ = 0;  ///< pace an hour ago: at most a fifth more
    Time hour_at_{};
    double settled_at_ = 0;  ///< pace before it was raised
};

}  // namespace millrace::relay
