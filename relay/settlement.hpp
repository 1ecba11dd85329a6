#pragma once

#include <span>
#include <vector>

#include "common/net/random.hpp"
#include "relay/deliver/outcome.hpp"
#include "relay/feedback/dsn.hpp"
#include "relay/schedule/retry.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// When delays are reported, beside the retry schedule.
struct SettlementRules {
    RetrySchedule retry;
    Duration delay_notice_after{};
};

/// What one attempt comes to: the changes that are to become durable together, and who is to be
/// told.
struct Settlement {
    Batch batch;
    std::vector<DsnRecipient> notices;
    /// A receiver limit (too many, too fast): these were not attempted and keep their place.
    std::vector<Work> untouched;
};

/// Turns the outcomes of one attempt, one per work, in order, into a settlement. A deferral that
/// cannot be tried again before the expiry is an expiry. A typed limit spends no attempt, unless
/// the message is already past its lifetime. Pure but for the jitter.
Settlement settle(const Envelope& envelope,
                  const std::string& site,
                  std::span<const Work> works,
                  std::span<const RecipientOutcome> outcomes,
                  const SettlementRules& rules,
                  Time now,
                  Random& random);

/// Takes out of a batch what waits for no notice: deliveries and deferrals. Failures stay with the
/// notices in `append`: nobody's failure is finished before it is told. For a disk that has room
/// for the one and not for the other. Pure.
Batch without_notices(Batch& batch);

/// The fields of an event that come from the envelope and the work.
Event event_of(EventKind kind, const Envelope& envelope, const Work& work, Time now);

}  // namespace millrace::relay
