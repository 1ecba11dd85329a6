#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// Finds the rate that a receiver takes, from its refusals, and stays just under it. Pure: (state,
/// now, answer) → state.
///
/// Whatever counts at the receiver – a bucket that fills, or a window of a minute or a day –
/// between two moments at which it refuses it has let through what it allows for that span. So the
/// rate is measured from refusal to refusal, with an error of one message; two or three refusals
/// are enough to know it to a few per cent. A refusal right after a rest means that the rest was
/// too short: it is doubled. What is known is raised again only in small steps, and only while
/// there is demand and peace (README.md).
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
        bool operator==(const Learned&) const = default;
    };

    /// When the next one may start; `now` when at once.
    Time next(Time now) const;
    bool ready(Time now) const { return next(now) <= now; }
    /// Between the first refusal and the first measure one at a time goes out.
    bool one_at_a_time() const { return learned_.exploring; }

    /// One starts. ready(now) must hold.
    void take(Time now);
    /// It did not start after all.
    void give_back();
    /// The receiver took it.
    void passed(Time began, Time now);
    /// It was refused for the rate. `least`: the rest that the receiver, or a rule, asks for.
    void refused(Time began, Time now, Duration least);
    /// … in these words.
    void heard(const std::string& said) { learned_.said = said; }
    /// What the same receiver allows another one like this: no search of its own, until refused.
    void follow(double pace, Time now);
    /// There was nothing to send: what follows measures nothing.
    void lapse(Time now);
    /// Whether raising is allowed (design §5: never while refusals or complaints rise).
    void calm(bool yes) { calm_ = yes; }

    bool known() const { return learned_.pace > 0; }
    const Learned& learned() const { return learned_; }
    void restore(const Learned& learned, Time now);

  private:
    void raise(Time now);
    void measure(Time now);
    void begin_segment(Time now);

    Learned learned_;
    Time next_at_{};  ///< the pace's next start
    Time last_take_{};
    double gap_ = 0;          ///< seconds of it that the last take() cost
    bool narrowing_ = false;  ///< while exploring: the rests become shorter
    bool calm_ = true;
    bool lapsed_ = false;  ///< the present segment has a hole
    Time last_refusal_{};
    Time reacted_{};  ///< starts before this belong to the refusal
    Time anchor_{};   ///< first refusal of the measure; zero: none yet
    std::uint64_t passed_since_anchor_ = 0;
    std::uint64_t passed_since_refusal_ = 0;
    double slowest_ = 0;  ///< least pace since the anchor
    Time raise_at_{};
    Duration scale_{};      ///< how long the receiver's own memory seems to be
    double hour_base_ = 0;  ///< pace an hour ago: at most a fifth more
    Time hour_at_{};
};

}  // namespace millrace::relay
