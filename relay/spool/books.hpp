#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/spool/event.hpp"

namespace millrace::relay {

/// What became of every recipient that this spool has ever taken over. Kept with each commit, so
/// that at any moment, a crash included: received = everything that ended + what is queued.
struct Books {
    std::uint64_t received = 0;
    std::uint64_t delivered = 0, bounced = 0, expired = 0, suppressed = 0, removed = 0;

    /// One recipient more has come or ended. Kinds that are neither change nothing.
    void enter(EventKind kind);
    std::uint64_t ended() const { return delivered + bounced + expired + suppressed + removed; }
    bool operator==(const Books&) const = default;
};

/// The books, and beside them what is really there, counted record by record; all of one moment.
struct Stock {
    Books books;
    std::uint64_t queued = 0;    ///< as the ledger says
    std::uint64_t works = 0;     ///< recipients with work left
    std::uint64_t in_order = 0;  ///< of those, the ones that stand in a queue
    std::uint64_t stray = 0;     ///< places in queues without a recipient
    std::uint64_t messages = 0;  ///< stored ones
    std::uint64_t idle = 0;      ///< of those, without a recipient left
    std::uint64_t headless = 0;  ///< recipients without their message
    std::string example;         ///< one that is wrong: `4S62ZTHPLQ2H2 recipient 3`; or empty
    bool operator==(const Stock&) const = default;
};

/// What does not add up, a sentence for each; empty: all of it does. Pure.
std::vector<std::string> discrepancies(const Stock& stock);

}  // namespace millrace::relay
