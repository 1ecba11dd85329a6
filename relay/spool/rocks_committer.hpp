#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include <boost/asio/any_io_executor.hpp>

#include "relay/spool/disk_space.hpp"
#include "relay/spool/high_water.hpp"
#include "relay/spool/rocks_batch.hpp"
#include "relay/spool/rocks_due.hpp"

namespace millrace::relay {

/// The one thread that writes. A flush begins when the one before it ends and takes along all that
/// has come meanwhile: one sync for many waiters, and no waiting when there are few. Only this
/// thread counts recipients and deletes bodies.
///
/// Any write that does not succeed is the last one: what reached the disk is not known any more,
/// and a second fsync would lie. Everything afterwards fails as broken until the process restarts.
class RocksCommitter {
  public:
    struct Request {
        Batch batch;
        /// Its name and value; without a value it is removed.
        std::optional<std::pair<std::string, std::optional<std::string>>> note;
        std::uint64_t trim_to = 0;
        std::move_only_function<void(Result<Committed>)> done;
        boost::asio::any_io_executor home;  ///< where `done` is called
    };
    struct Start {
        Ledger ledger;
        HighWaterFile* mark;
        std::string alarm;  ///< what recovery found, for health()
    };

    RocksCommitter(
        RocksStore& store, RocksDue& due, DiskSpace& space, Clock& clock, Log& log, Start start);
    /// Writes all that it was given, then stops.
    ~RocksCommitter();
    RocksCommitter(const RocksCommitter&) = delete;

    /// Thread: any. Fails at once, on the caller's thread, as unavailable when too much new mail
    /// is waiting already.
    void submit(Request request);

    /// Thread: any.
    SpoolHealth health() const;
    MessageId last_id() const { return MessageId{last_id_.load(std::memory_order_relaxed)}; }
    Result<void> usable() const;

  private:
    void run();
    void write(std::deque<Request>& group);
    Result<Committed> decide(Request& request, RocksBatch& batch);
    Result<void> make_durable(RocksBatch& batch);
    void answer(std::deque<Request>& group, std::vector<Result<Committed>>& results);
    void keep_house();
    void find_oldest();
    void publish();
    void break_down(const std::string& why);

    RocksStore& store_;
    RocksDue& due_;
    DiskSpace& space_;
    Clock& clock_;
    Log& log_;

    // The committer thread's own.
    Ledger ledger_;
    HighWaterFile& mark_;
    std::uint64_t marked_ = 0;
    Time marked_at_{}, oldest_at_{};
    WorkKey first_work_;  ///< no work before it
    bool oldest_stale_ = true;
    std::uint64_t trimmed_to_ = 0;

    // Read by others.
    std::atomic<std::uint64_t> last_id_{0};
    std::atomic<Time::rep> oldest_{never.time_since_epoch().count()};
    std::atomic<bool> broken_{false};
    mutable std::mutex words_mutex_;
    std::string why_broken_, alarm_;
    std::uint64_t queued_ = 0;
    Books books_;

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Request> waiting_;
    std::uint64_t waiting_bytes_ = 0;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace millrace::relay
