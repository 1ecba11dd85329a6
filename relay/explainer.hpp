#pragma once

#include <optional>
#include <vector>

#include "relay/api/explanation.hpp"
#include "relay/api/provider_status.hpp"
#include "relay/schedule/retry.hpp"
#include "relay/schedule/scheduler.hpp"
#include "relay/spool/spool.hpp"

/// Writes the answers to `why`. Pure: the same facts, the same text; every sentence stands on a
/// fact that is in it.
namespace millrace::relay {

/// What is known of one recipient.
struct RecipientFacts {
    const Envelope* envelope = nullptr;  ///< null: the message is finished
    const Work* work = nullptr;          ///< null: this recipient is finished
    std::vector<Event> events;           ///< of this recipient, oldest first
    WorkView view;                       ///< of the work
    bool place_is_a_minimum = false;     ///< `view.before` is as far as was counted
    /// Messages a second that the provider took in the last minute.
    double rate = 0;
    Typed last;  ///< what the work's last reply, or the last event's, means
    const RetrySchedule* retry = nullptr;
};
Explanation explain(const RecipientFacts& facts, Time now);
/// Why mail for one destination is sent as it is, or not; `at` is its provider.
Explanation explain(const DestinationStatus& destination, const ProviderStatus& at, Time now);
/// The same for all of a provider.
Explanation explain(const ProviderStatus& provider, Time now);

/// What a refusal of that kind means, as a main clause about `who`; empty: nothing more than it
/// says.
std::string meaning(const Typed& typed, const std::string& who);
/// What an operator can do about it; empty: nothing but wait.
std::string advice(Blame blame);

}  // namespace millrace::relay
