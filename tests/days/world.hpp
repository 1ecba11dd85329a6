#pragma once

#include <set>
#include <string>
#include <vector>

#include "relay/rehearse/rehearsal.hpp"

namespace millrace::days {

using namespace relay;

/// What is drawn for one seed: the setup, and what the referee has to know of it.
struct World {
    struct Party {                         ///< one receiver
        std::string kind;                  ///< `rate`, `window`, …: for statistics
        std::vector<std::string> domains;  ///< senders' domains that write to it
        std::uint64_t mail = 0;
        std::set<std::string> sites;
    };
    RehearsalSetup setup;
    std::vector<Party> parties;  ///< beside setup.receivers
    Duration length{};
};

/// The same seed, the same world. `kind`: only receivers of that kind; empty: any.
World draw(std::uint64_t seed, const std::string& kind);

/// What a sender delivers to a receiver who knows all of its limits at every moment, but raises his
/// pace by no more than a fifth an hour, his connections by one an hour, and knocks at a closed
/// door only after 1, 3, 7, 15 … hours (design §5): messages until the end of each minute of the
/// day.
std::vector<double> ideal(const World& world, std::size_t receiver);

}  // namespace millrace::days
