#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/base/time.hpp"

namespace millrace::relay {

/// How long each site lets a new (source, sender, recipient) wait, learned from what it takes. One
/// message is sent ahead to find out, in growing steps; the others wait for what it learns. Pure.
class Greylist {
  public:
    /// When to try again what was greylisted at `now`, having been tried first at `first`.
    /// `regular`: what the schedule says; `least`: what the receiver or a rule asks for, if anything.
    Time again(
        const std::string& site, Time first, Time now, Time regular, Time least = Time::min());
    /// A message passed that had been greylisted. Returns the wait of the site when that is news:
    /// what waits longer than that may go then.
    std::optional<Duration> passed(const std::string& site, Time first, Time now);
    /// None: not known.
    std::optional<Duration> wait(const std::string& site) const;
    /// What was known of it before a restart.
    void restore(const std::string& site, Duration wait, Time now);
    std::size_t size() const { return sites_.size(); }

  private:
    struct Site {
        Duration bad{};   ///< refused at this age
        Duration good{};  ///< taken at this age; zero: not known yet
        Time scout{};     ///< when the one sent ahead goes next; zero: none is
        Time used{};
        unsigned contradicted = 0;  ///< attempts in a row that were refused although older than that
        Time contradicted_at{};
        /// Taken soon after it had been refused: so long it lets them wait. One that was tried
        /// again after hours only is taken earlier, too.
        bool close() const;
    };
    Site& site_of(const std::string& site, Time now);

    std::map<std::string, Site> sites_;  ///< bounded: those that were used last
};

}  // namespace millrace::relay
