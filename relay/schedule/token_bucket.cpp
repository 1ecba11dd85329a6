#include "relay/schedule/token_bucket.hpp"

#include <algorithm>
#include <cmath>

#include "common/base/check.hpp"
#include "common/base/planted.hpp"

namespace millrace::relay {
namespace {

// Doubles lose the last digits of a sum; a token that is there but for this much counts as there.
constexpr double rounding = 1e-9;

/// What a late timer may make up for, in seconds of the rate; so much less flows in. Together they
/// keep a whole second under the rate: 1 + 0.01 rate + 0.99 rate t < 1 + rate for t < 1.
constexpr double slack = 0.01;

double burst_of(double rate) {
    return 1 + slack * rate;
}

}  // namespace

TokenBucket::TokenBucket(double rate, Time born) : rate_(rate), burst_(burst_of(rate)), at_(born) {
    if (planted("fresh-burst")) level_ = burst_;
}

double TokenBucket::inflow() const {
    return (1 - slack) * rate_;
}

double TokenBucket::level(Time now) const {
    return std::min(burst_, level_ + inflow() * std::max(0.0, seconds(now - at_)));
}

bool TokenBucket::ready(Time now) const {
    return !limited() || level(now) >= 1 - rounding;
}

void TokenBucket::take(Time now) {
    if (!limited()) {
        return;
    }
    MILLRACE_CHECK(ready(now));
    level_ = level(now) - 1;
    at_ = std::max(at_, now);
}

void TokenBucket::give_back() {
    if (limited()) {
        level_ = std::min(burst_, level_ + 1);
    }
}

Time TokenBucket::next(Time now) const {
    if (ready(now)) {
        return now;
    }
    auto const missing = 1 - level(now);
    // Rounded up to a whole microsecond, so that the token is certainly there at the returned time.
    auto const wait = std::chrono::microseconds(
        static_cast<std::int64_t>(std::ceil(missing / inflow() * 1e6)) + 1);
    return now + wait;
}

void TokenBucket::set_rate(double rate, Time now) {
    if (limited()) {
        level_ = level(now);
    } else {
        level_ = 0;
    }
    at_ = std::max(at_, now);
    rate_ = rate;
    burst_ = burst_of(rate);
    level_ = std::min(level_, burst_);
}

}  // namespace millrace::relay
