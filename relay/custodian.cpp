#include "relay/custodian.hpp"

#include "common/base/planted.hpp"

namespace millrace::relay {

Task<Result<void>> Custodian::accept(NewMail mail) {
    if (planted("250-before-commit")) {
        parts_.work.spawn(store_late(std::move(mail)));
        co_return Result<void>{};
    }
    assign_slots(mail.works, parts_.dispatcher.scheduler().limits().sources);
    Batch batch;
    batch.append.push_back(mail);
    auto const committed = co_await parts_.spool.commit(std::move(batch));
    if (!committed) {
        if (committed.error().fault == Fault::broken) {
            parts_.on_broken(committed.error().detail);
        } else if (committed.error().fault == Fault::full) {
            parts_.on_refused();
        }
        co_return std::unexpected(committed.error());
    }
    parts_.dispatcher.arrived(mail);
    parts_.on_committed(*committed);
    co_return Result<void>{};
}

SpoolHealth Custodian::health() const {
    auto health = parts_.spool.health();
    if (!health.accepting && !health.broken) {
        parts_.on_refused();
    }
    return health;
}

Task<void> Custodian::store_late(NewMail mail) {
    Batch batch;
    batch.append.push_back(mail);
    auto const committed = co_await parts_.spool.commit(std::move(batch));
    if (committed) {
        parts_.dispatcher.arrived(mail);
    }
}

}  // namespace millrace::relay
