#pragma once

#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// Finds how many connections a receiver takes at once, from below: beyond what it is known to take
/// only one at a time is tried, so finding the limit costs one refusal. What is known is kept; one
/// more is tried after an hour at the earliest, and later and later when that is refused again.
/// Pure.
///
/// `standing` is the number of connections that the receiver has greeted and that still stand.
class ConnectionKnob {
  public:
    /// What has been learned; survives a restart.
    struct Learned {
        unsigned good = 0;       ///< so many stood at once
        unsigned bad = 0;        ///< so many were refused; 0: never
        Time since{};            ///< of the last refusal
        Time probe_after{};      ///< `bad` may be tried again then
        unsigned confirmed = 0;  ///< refusals of `bad` in a row
        std::string said;        ///< the refusal
        bool operator==(const Learned&) const = default;
    };

    explicit ConnectionKnob(unsigned ceiling) : ceiling_(ceiling) {}
    void set_ceiling(unsigned ceiling) { ceiling_ = ceiling; }

    /// How many more may be begun now, with so many standing and being opened.
    unsigned more(unsigned standing, unsigned opening, Time now) const;
    /// The most that may stand now.
    unsigned allowed(Time now) const;
    /// None is begun before.
    Time not_before() const;

    /// One more was greeted; it counts in `standing`.
    void greeted(unsigned standing, Time now);
    /// A message went through while so many stood.
    void passed(unsigned standing, Time now);
    /// One was refused for their number; it does not count in `standing`.
    void refused(unsigned standing, Time now, const std::string& said, Duration least);
    /// One of ours ended; the receiver may not have seen it yet.
    void closed(Time now) { last_closed_ = now; }
    bool just_closed(Time now) const;
    /// The receiver was gone, or could not be reached: begin with one again.
    void slow_start() { target_ = 1; }
    void calm(bool yes) { calm_ = yes; }

    const Learned& learned() const { return learned_; }
    void restore(const Learned& learned) { learned_ = learned; }

  private:
    unsigned ceiling_;
    Learned learned_;
    unsigned target_ = 2;  ///< slow start
    unsigned grown_ = 0;   ///< messages since the last growth
    unsigned falls_ = 0;   ///< refusals in a row, each below the last
    Time grow_after_{};
    Time hold_until_{};
    Duration hold_{};
    Time last_closed_{};
    bool lingers_ = false;  ///< it counts connections that have ended for a moment more
    bool calm_ = true;
};

}  // namespace millrace::relay
