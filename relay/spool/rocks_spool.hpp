#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/any_io_executor.hpp>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"
#include "relay/spool/spool.hpp"

namespace rocksdb {
class FileSystem;
}

namespace millrace::relay {

struct RocksOptions {
    std::string directory;
    std::uint64_t free_min = 256ULL << 20;  ///< below that many free bytes new mail is refused
    std::uint64_t reserve = 64ULL << 20;    ///< kept for delivery results while the disk is full
    /// Below the store's files, for fault tests; none: the machine's.
    std::shared_ptr<rocksdb::FileSystem> files;
};

/// The embedded spool: RocksDB in `directory`, which must exist, belong to this user and be closed
/// to writers of other users. Returns as soon as new mail can be taken; the backlog stays on disk.
/// One instance per directory: a second one is told the pid of the first.
///
/// Commits resume on the caller's executor. Its own threads: one that commits, one for quick reads,
/// one for scans. Destroy it before the loops of its callers; it makes durable what it was given.
///
/// Failure: unavailable (directory missing, not ours, not writable, in use), corrupt (the store
/// cannot be read), each with the next step.
Result<std::unique_ptr<Spool>> open_rocks_spool(RocksOptions options,
                                                asio::any_io_executor executor,
                                                Clock& clock,
                                                Log& log);

}  // namespace millrace::relay
