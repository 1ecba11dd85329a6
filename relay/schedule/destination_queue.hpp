#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <unordered_set>

#include "relay/schedule/lane.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Envelope and bytes kept in memory between the 250 and the first attempt; pays its bytes back to
/// the budget when the last work lets go of it.
struct Hot {
    Hot(Envelope e, Body b, std::shared_ptr<std::size_t> used)
        : envelope(std::move(e)), body(std::move(b)), budget_used(std::move(used)) {
        *budget_used += body->size();
    }
    Hot(const Hot&) = delete;
    Hot& operator=(const Hot&) = delete;
    ~Hot() { *budget_used -= body->size(); }

    Envelope envelope;
    Body body;
    std::shared_ptr<std::size_t> budget_used;
};

struct WorkKeyHash {
    std::size_t operator()(const WorkKey& key) const noexcept {
        return std::hash<std::uint64_t>{}(key.message.value * 1'000'003U + key.index);
    }
};

struct ReadyWork {
    Work work;
    std::shared_ptr<const Hot> hot;  ///< empty: read from the spool
};

/// The works of one recipient domain: a window of them in memory, the rest on disk in order of due
/// time.
struct DestinationQueue {
    explicit DestinationQueue(std::string n) : name(std::move(n)) {}

    std::string name;
    Lane* lane = nullptr;  ///< where the route leads; none before the first answer
    Time route_until{};    ///< ask the router again after this
    bool routing = false;  ///< an answer is on its way

    std::array<std::deque<ReadyWork>, 2> ready;  ///< by class
    std::array<bool, 2> in_ring{};
    std::size_t in_flight = 0;

    /// Earliest due time of work that is known to be on disk and not in memory. `never`: none
    /// known.
    Time disk_due = never;
    bool refilling = false;
    DueCursor cursor;    ///< how far the present pass over the disk has come; {} at its start
    bool dirty = false;  ///< work appeared behind the cursor: make another pass
    std::unordered_set<WorkKey, WorkKeyHash>
        settled_meanwhile;  ///< during a refill: its answer may be older
    Time agenda = never;
    bool waits_for_room = false;

    std::size_t ready_count() const { return ready[0].size() + ready[1].size(); }
};

}  // namespace millrace::relay
