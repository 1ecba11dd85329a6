#pragma once

#include <vector>

#include "relay/api/provider_status.hpp"
#include "relay/schedule/lane.hpp"

namespace millrace::relay {

/// What a share may do, each limit with where it comes from; the tightest kinds first: a block,
/// what was learned, then settings. Of senders' domains at most twenty. Pure.
std::vector<Allowance> allowances(const Share& share, Time now);

/// How far the source, and new senders' domains from there, are warmed up. Pure.
std::vector<Allowance> warm_up_allowances(const ShareState& state, Time now);

/// A provider as people see it: its share, and what its state is without regard to the queue
/// (`blocked`, `resting`, `sending`, `idle`). Pure.
ProviderStatus provider_status(const Share& share, Time now);

}  // namespace millrace::relay
