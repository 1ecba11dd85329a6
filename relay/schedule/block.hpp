#pragma once

#include <string>

#include "common/base/time.hpp"
#include "relay/shaping/typed.hpp"

namespace millrace::relay {

/// A door that was shut: when it may be knocked at again, and for whose sake. Each time it is still
/// shut the wait doubles, from an hour to a day for a matter of reputation, from half a minute to a
/// quarter of an hour for a receiver that is ill, unless the rule says that it does not. After the wait one attempt goes out alone; only
/// when it has passed do others follow. Pure.
class Block {
  public:
    struct Learned {
        Blame cause = Blame::none;
        Time since{};        ///< first refusal of this block
        Time until{};        ///< nothing before
        Duration length{};   ///< of the last wait
        unsigned times = 0;  ///< refusals without a message through; 0: open
        std::string said;    ///< the last refusal
        std::string rule;    ///< that typed it
        bool operator==(const Learned&) const = default;
    };

    /// typed.pause: the wait that the receiver or a rule asks for, which counts for the first time.
    void refused(const Typed& typed, Time now, const std::string& said);
    void passed(Time now);
    /// On the operator's word: one attempt goes out at `then`, alone, as after the wait. False: it is
    /// not shut so long.
    bool knock(Time then);
    /// It counts as open.
    void lift() { learned_.times = 0, learned_.until = {}; }

    bool shut(Time now) const { return now < learned_.until; }
    /// The wait is over but nothing has passed yet.
    bool on_trial() const { return learned_.times > 0; }
    const Learned& learned() const { return learned_; }
    void restore(const Learned& learned) { learned_ = learned; }

  private:
    Learned learned_;
    Time passed_{};
};

}  // namespace millrace::relay
