#pragma once

#include <map>
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
/// cannot be tried again before the expiry is an expiry. What speaks of us spends no attempt, unless
/// the message is already past its lifetime; what speaks of the message alone waits for as long as
/// the receiver, or a rule, asks. Pure but for the jitter.
Settlement settle(const Envelope& envelope,
                  const std::string& site,
                  std::span<const Work> works,
                  std::span<const RecipientOutcome> outcomes,
                  const SettlementRules& rules,
                  Time now,
                  Random& random);

/// Why mail that was not tried still waits.
struct Waited {
    std::string site;
    std::string reason;  ///< a main clause for the sender: `mx.example takes 2 connections at once`
    std::string said;    ///< in the receiver's words, or empty
};

/// The time of these is over and nothing can be tried: they are given up, and their senders told of
/// the wait. `why` has an entry for each. Pure.
Settlement settle_expired(const Envelope& envelope,
                          std::span<const Work> works,
                          const std::map<WorkKey, Waited>& why,
                          Time now);

/// The senders of these are told once that they still wait; they keep their places. Pure.
Settlement settle_delay(const Envelope& envelope,
                        std::span<const Work> works,
                        const std::map<WorkKey, Waited>& why,
                        const SettlementRules& rules,
                        Time now);

/// Takes out of a batch what waits for no notice: deliveries and deferrals. Failures stay with the
/// notices in `append`: nobody's failure is finished before it is told. For a disk that has room
/// for the one and not for the other. Pure.
Batch without_notices(Batch& batch);

/// The fields of an event that come from the envelope and the work.
Event event_of(EventKind kind, const Envelope& envelope, const Work& work, Time now);

}  // namespace millrace::relay
