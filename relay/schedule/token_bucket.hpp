#pragma once

#include "common/base/time.hpp"

namespace millrace::relay {

/// A rate limit: fewer than `1 + rate * t` takes in any span of t >= 1 seconds that has its begin
/// and not its end; so never more than a whole rate in a second, wherever the second begins.
///
/// The takes are spread evenly: a bucket that saves up a second's worth would let two of them
/// through within one. A hundredth of the rate pays for timers that come late.
///
/// It starts empty, at the moment of its birth: a restart therefore never grants a fresh burst, and
/// what the receiver sees over a span that contains the restart stays within the same bound.
class TokenBucket {
  public:
    /// rate: per second; 0 means no limit.
    TokenBucket(double rate, Time born);

    bool limited() const { return rate_ > 0; }
    /// True when a token can be taken at `now`.
    bool ready(Time now) const;
    /// Takes one. ready(now) must hold.
    void take(Time now);
    /// Gives one back that was taken and not used.
    void give_back();
    /// When the next token will be there; `now` when it is already.
    Time next(Time now) const;
    /// A new rate takes effect at once; a smaller one never leaves more than its own burst.
    void set_rate(double rate, Time now);

  private:
    double level(Time now) const;
    double inflow() const;  ///< tokens a second

    double rate_;
    double burst_;
    double level_ = 0;
    Time at_;
};

}  // namespace millrace::relay
