#pragma once

#include <algorithm>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How fast an account may send: gives every recipient its moment, so that there are at most N an
/// hour on the whole and a tenth of that at once after a rest (at least ten). Like the token bucket
/// of a lane it begins without a rest behind it: a restart grants no fresh burst. Pure.
class Pace {
  public:
    explicit Pace(Time born) : next_(born) {}

    /// per_hour: 0: no limit. A new one counts for those who wait from now on, the length of the
    /// queue before them included.
    void limit(unsigned per_hour, Time now) {
        if (per_hour == per_hour_) return;
        const Duration ahead = std::max(Duration::zero(), next_ - now);
        const auto waiting = per_hour_ == 0 ? 0 : ahead / step();
        per_hour_ = per_hour;
        if (per_hour_ != 0) next_ = std::max(next_ - ahead, now - rest()) + waiting * step();
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
    Duration rest() const { return step() * (std::max(10U, per_hour_ / 10) - 1); }

    unsigned per_hour_ = 0;
    Time next_;  ///< from when on one could go; before now: a rest that has been saved up
};

}  // namespace millrace::relay
