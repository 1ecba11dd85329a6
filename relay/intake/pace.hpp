#pragma once

#include <algorithm>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How fast an account may send: gives every recipient its moment, so that there are at most N an
/// hour on the whole and a quarter of that at once after a rest. It begins rested: what has waited
/// for us in the MTA while we were away is not to wait again. (The limits towards receivers are
/// others, and grant nothing for a restart.) Pure.
class Pace {
  public:
    /// per_hour: 0: no limit. A new one counts for those who come from now on, the length of the
    /// queue before them included.
    void limit(unsigned per_hour, Time now) {
        if (per_hour == per_hour_) return;
        const Duration ahead =
            per_hour_ == 0 ? Duration::zero() : std::max(Duration::zero(), next_ - now);
        const auto waiting = per_hour_ == 0 ? 0 : ahead / step();
        const bool fresh = per_hour_ == 0;
        per_hour_ = per_hour;
        if (per_hour_ == 0) return;
        next_ = fresh ? now - rest() : std::max(next_ - ahead, now - rest()) + waiting * step();
    }

    /// When the next recipient may go: now, or later; its place is taken.
    Time take(Time now) {
        if (per_hour_ == 0) return now;
        next_ = std::max(next_, now - rest());
        const Time due = std::max(now, next_);
        next_ += step();
        return due;
    }

    unsigned per_hour() const { return per_hour_; }

  private:
    Duration step() const { return Duration(std::chrono::hours(1)) / per_hour_; }
    // So many may go at once: the burst is one more than steps fit into the rest.
    Duration rest() const { return step() * (std::max(1U, per_hour_ / 4) - 1); }

    unsigned per_hour_ = 0;
    Time next_{};  ///< from when on one could go; before now: a rest that has been saved up
};

}  // namespace millrace::relay
