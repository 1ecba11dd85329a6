#include "relay/deliver/route.hpp"

#include <algorithm>
#include <utility>

namespace millrace::relay {

namespace {

template <class T>
void shuffle(std::vector<T>& items, Random& random) {
    for (std::size_t i = items.size(); i > 1; --i) {
        std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(i))]);
    }
}

std::vector<Target> order(std::vector<Host> group, Random& random) {
    shuffle(group, random);
    for (auto& host : group)
        shuffle(host.addresses, random);

    std::vector<Target> targets;
    bool more = true;
    for (std::size_t round = 0; more; ++round) {
        more = false;
        for (const auto& host : group) {
            if (round >= host.addresses.size()) continue;
            targets.push_back({host.name, {host.addresses[round], host.port}});
            more = true;
        }
    }
    return targets;
}

}  // namespace

std::vector<Target> order(const Route& route, Random& random) {
    std::vector<Target> all;
    std::vector<Target> last;
    for (const auto& group : route.groups) {
        last = order(group, random);
        all.insert(all.end(), last.begin(), last.end());
    }
    if (all.size() > targets_max) {
        // A dead farm of ten addresses must not hide the backup behind it.
        auto const hidden = all.size() - last.size() >= targets_max;
        all.resize(targets_max);
        if (hidden && !last.empty()) all.back() = last.front();
    }
    return all;
}

}  // namespace millrace::relay
