#include "relay/schedule/limits.hpp"

namespace millrace::relay {

ScheduleLimits limits_of(const config::Relay& relay, const RuleBook& book) {
    ScheduleLimits limits;
    limits.per_site = ceilings_of(relay.delivery);
    for (auto const& provider : book.providers()) {
        limits.providers.emplace(provider, book.ceilings(provider));
    }
    limits.sources = SourcePools::from(relay);
    limits.connections_total = relay.delivery.connections_total;
    limits.window = relay.limits.window;
    return limits;
}

}  // namespace millrace::relay
