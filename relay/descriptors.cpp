#include "relay/descriptors.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace millrace::relay {

DescriptorBudget share_descriptors(std::uint64_t limit, unsigned sessions, unsigned deliveries) {
    std::uint64_t const wanted = 2 * std::uint64_t{sessions} + deliveries;
    std::uint64_t const room = limit - std::min(limit, descriptors_kept);
    if (wanted <= room) return {sessions, deliveries, {}};
    auto const part = [&](unsigned of) {
        return static_cast<unsigned>(std::max<std::uint64_t>(1, room * of / wanted));
    };
    DescriptorBudget budget{part(sessions), part(deliveries), {}};
    budget.warning = fmt::format(
        "{} sessions and {} deliveries (relay.limits.connections, relay.delivery.connections_total) "
        "need {} open files, and the system allows {}: {} and {} are used. Raise LimitNOFILE of "
        "the unit, or lower the settings",
        sessions,
        deliveries,
        wanted + descriptors_kept,
        limit,
        budget.sessions,
        budget.deliveries);
    return budget;
}

}  // namespace millrace::relay
