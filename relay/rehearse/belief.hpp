#pragma once

#include <string>
#include <vector>

#include "common/base/time.hpp"
#include "common/net/random.hpp"
#include "relay/rehearse/hidden_limits.hpp"
#include "relay/schedule/share.hpp"

namespace millrace::relay {

/// What is believed of a receiver: what its share has learned, as a lot of receivers that would all
/// have taught the same. The older a limit, the wider the lot; of one that nothing is known of it
/// holds about every kind there is. Pure.
class Belief {
  public:
    /// note: of Share::kept(); empty: nothing was ever learned.
    Belief(const std::string& source,
           const std::string& provider,
           const std::string& note,
           const Ceilings& ceilings,
           Time now);

    /// One receiver of the lot.
    struct Draw {
        HiddenLimits limits;
        Time opens{};  ///< it refuses everything until then; zero: it does not
        std::vector<std::pair<std::string, Time>> senders_open;  ///< the same for a sender's domain
    };
    Draw draw(Random& random) const;
    /// What was learned, taken at its word: the middle of the lot.
    HiddenLimits likely() const;

    bool known() const { return known_; }
    const Share& share() const { return share_; }
    /// What the forecast goes by, for people: `39 messages a second, learned 2h ago`.
    std::string words() const;

  private:
    void draw_connections(HiddenLimits& limits, Random& random) const;
    void draw_rate(HiddenLimits& limits, Random& random) const;
    double drift(Time since, Random& random) const;
    Time opening(const Block::Learned& block, Random& random) const;

    Time now_;
    Share share_;
    bool known_;
};

/// Numbers as they fall: deterministic, of our own making (see Random).
double normal(Random& random);
/// Factor e^(spread × normal).
double about(Random& random, double spread);

}  // namespace millrace::relay
