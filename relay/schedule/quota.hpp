#pragma once

#include <deque>
#include <string>
#include <utility>

#include "relay/schedule/ration.hpp"

namespace millrace::relay {

/// Ceilings on messages in any span of an hour, and of a day, restarts included. What was sent is
/// counted by minutes for the one and by quarters of an hour for the other: a little longer than
/// the span, never shorter. Pure.
class Quota final : public Ration {
  public:
    /// 0: no such limit.
    void set_limits(unsigned per_hour, unsigned per_day);
    bool limited() const { return per_hour_ > 0 || per_day_ > 0; }

    Time next(Time now) const override;
    bool covered(Time now) const override;
    /// `500 messages in an hour`: the limit that is in the way.
    std::string text_of_limit(Time now) const;

    /// What was kept. A note that cannot be read is none.
    void restore(const std::string& note, Time now);

  protected:
    void roll(Time now) override;
    void count(Time now) override;
    std::uint64_t room(Time now) const override;
    std::uint64_t portion() const override;
    std::string text(std::uint64_t promised) const override;

  private:
    /// Messages by the time at which they began, in steps.
    struct Window {
        Duration span, step;
        std::deque<std::pair<Time, unsigned>> counts;

        void add(Time now, unsigned n);
        void forget(Time now);
        std::uint64_t within(Time now) const;
        /// When fewer than `most` are left in it.
        Time below(std::uint64_t most, Time now) const;
    };

    unsigned per_hour_ = 0, per_day_ = 0;
    Window hour_{std::chrono::hours(1), std::chrono::minutes(1), {}};
    Window day_{std::chrono::hours(24), std::chrono::minutes(15), {}};
};

}  // namespace millrace::relay
