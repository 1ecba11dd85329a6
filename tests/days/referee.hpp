#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/days/world.hpp"

namespace millrace::days {

/// Looks at everything that reaches the receivers, never at the scheduler's insides, and says what
/// should not have been (README.md).
class Referee {
  public:
    Referee(const World& world, Rehearsal& day);

    void saw(const Contact& contact);
    /// At the end of the day.
    void judge();

    struct Tally {
        std::uint64_t mail = 0, delivered = 0, refused = 0, connections = 0;
        double ideal = 0, got = 0;  ///< after the first hour
        double ratio() const { return ideal < 1 ? 1 : got / ideal; }
        unsigned punished = 0, most_in_a_minute = 0;
    };
    const std::vector<Tally>& tallies() const { return tallies_; }
    const std::vector<std::string>& violations() const { return violations_; }

  private:
    /// At most `burst` + `rate` × span in any span.
    struct Meter {
        double level = 0;
        Time at{};
        bool born = false;
        bool take(double rate, double burst, Time now);
    };
    struct Door {              ///< shut by a block or by a rest that was asked for
        Time first{}, last{};  ///< the first refusal, the last attempt
        Time rest_until{};
        std::string said;
    };
    struct Watch {
        unsigned bursts = 0;                ///< of ten refusals in a minute
        std::deque<Time> refusals;          ///< for limits, of the last minute
        std::map<std::string, Door> doors;  ///< by sender's domain; `` : everybody's
        std::map<std::string, std::uint64_t> by_site;
    };

    void violated(Time at, const std::string& what);
    void configured(const Contact& contact);
    void manners(const Contact& contact);
    void knocks(const Contact& contact, Door& door, Duration hearing);
    bool crashed_since(Time t, Time now) const;

    const World& world_;
    Rehearsal& day_;
    std::vector<Watch> watches_;
    std::map<std::string, Meter> messages_, connections_;  ///< by site
    std::vector<Tally> tallies_;
    std::vector<std::uint64_t> accepted_at_hour_;
    std::vector<std::string> violations_;
};

}  // namespace millrace::days
