#pragma once

#include <string>

#include "relay/schedule/ration.hpp"

namespace millrace::relay {

/// What an operator says of it.
struct WarmUpPlan {
    bool on = false;
    unsigned first = 50;     ///< messages of the first day
    unsigned goal = 20'000;  ///< messages a day with which it is over
    bool operator==(const WarmUpPlan&) const = default;
};

/// How a new address becomes known to one receiver: what may be sent in a day grows to twice what
/// was sent the day before, and only after a day that counts: the receiver refused next to nothing,
/// knew the recipients, and what was allowed was really sent. A day begins with its first message
/// and lasts 24 hours; no hour of it has more than an eighth. After 30 days of silence it begins
/// anew. Pure.
class WarmUp final : public Ration {
  public:
    struct State {
        Time began{};        ///< with the first message; zero: none yet
        Time day{}, hour{};  ///< those under way; zero: none
        unsigned allowance = 0;
        unsigned begun = 0, begun_hour = 0;  ///< messages of the day, and of the hour
        unsigned passed = 0, refused = 0;    ///< of the day
        unsigned recipients = 0, unknown = 0;
        unsigned days = 0;  ///< that counted
        Time last{};        ///< message
        Time warm{};        ///< since when it is over; zero: it is not
        bool operator==(const State&) const = default;
    };

    explicit WarmUp(const WarmUpPlan& plan);
    void set_plan(const WarmUpPlan& plan);

    bool over() const { return state_.warm != Time{}; }
    Time next(Time now) const override;
    bool covered(Time now) const override;

    // ---- what came of it, counted for the day
    void passed(Time now);
    void refused(Time now);
    void recipient(bool unknown, Time now);
    /// The address has a history here, by the operator's word.
    void mark_warm(Time now);

    /// What may be sent on the day of `now`, and when the warm-up is over if each day from here on
    /// is a good one; never: it is over, or was never begun.
    unsigned allowance(Time now) const;
    unsigned in_an_hour(Time now) const;
    Time ends(Time now) const;
    /// Of the day of `now`: messages begun.
    unsigned begun(Time now) const;
    const State& state() const { return state_; }

    /// What was kept. A note that cannot be read is none: the warm-up begins.
    void restore(const std::string& note, Time now);

  protected:
    void roll(Time now) override;
    void count(Time now) override;
    std::uint64_t room(Time now) const override;
    std::uint64_t portion() const override;
    std::string text(std::uint64_t promised) const override;

  private:
    bool day_over(Time now) const;
    bool hour_over(Time now) const;
    bool idle(Time now) const;
    unsigned of_an_hour() const;
    /// The state as of `now`, without touching anything.
    State rolled(Time now) const;
    State after_the_day(State s) const;

    WarmUpPlan plan_;
    State state_;
};

/// `out1 is being warmed up towards google: 400 messages today, of which 400 are sent; …`.
std::string warm_up_text(const std::string& whose,
                         const std::string& provider,
                         const WarmUp& warm_up,
                         Time now);

}  // namespace millrace::relay
