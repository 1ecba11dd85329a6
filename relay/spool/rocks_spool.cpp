#include "relay/spool/rocks_spool.hpp"

#include <algorithm>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "common/base/planted.hpp"
#include "common/net/thread_work_pool.hpp"
#include "relay/spool/rocks_age.hpp"
#include "relay/spool/rocks_committer.hpp"
#include "relay/spool/rocks_stock.hpp"
#include "relay/spool/spool_directory.hpp"

namespace millrace::relay {
namespace {

class RocksSpool final : public Spool {
  public:
    RocksSpool(SpoolDirectory directory, RocksOptions& options, Clock& clock, Log& log)
        : directory_(std::move(directory)),
          space_(directory_.path(), options.free_min, options.reserve, clock, log),
          mark_(directory_.path() + "/high-water"),
          clock_(clock),
          log_(log) {}

    Result<void> recover(std::shared_ptr<rocksdb::FileSystem> files);

    Task<Result<Committed>> commit(Batch batch) override {
        RocksCommitter::Request request;
        request.batch = std::move(batch);
        co_return co_await submit(std::move(request));
    }
    Task<Result<void>> trim(std::uint64_t up_to) override;
    Task<Result<void>> put_note(std::string name, std::string value) override;

    Task<Result<Body>> body(MessageId id) override {
        return read<Body>(quick_, [this, id] { return store_->body(id); });
    }
    Task<Result<Envelope>> envelope(MessageId id) override {
        return read<Envelope>(quick_, [this, id] { return store_->envelope(id); });
    }
    Task<Result<std::vector<StreamSummary>>> summary() override {
        return read<std::vector<StreamSummary>>(scans_, [this] { return due_->summary(); });
    }
    Task<Result<std::vector<Work>>> due(std::string stream,
                                        Time until,
                                        DueCursor after,
                                        unsigned max) override {
        return read<std::vector<Work>>(
            quick_, [this, stream = std::move(stream), until, after, max] {
                return due_->due(stream, until, after, max);
            });
    }
    Task<Result<std::vector<Work>>> aged(bool told,
                                         Time until,
                                         DueCursor after,
                                         unsigned max) override {
        return read<std::vector<Work>>(
            quick_, [this, told, until, after, max] { return due_->aged(told, until, after, max); });
    }
    Task<Result<StoredMail>> mail(MessageId id) override {
        return read<StoredMail>(quick_, [this, id] { return store_->mail(id); });
    }
    Task<Result<std::vector<Work>>> find(WorkFilter filter, WorkKey after, unsigned max) override {
        auto& pool = filter.message ? quick_ : scans_;
        return read<std::vector<Work>>(pool, [this, filter = std::move(filter), after, max] {
            return store_->find(filter, after, max);
        });
    }
    Task<Result<std::vector<Event>>> events(std::uint64_t after, unsigned max) override {
        return read<std::vector<Event>>(quick_,
                                        [this, after, max] { return store_->events(after, max); });
    }
    Task<Result<std::vector<Event>>> history(MessageId id) override {
        return read<std::vector<Event>>(quick_, [this, id] { return store_->history(id); });
    }
    Task<Result<std::string>> note(std::string name) override {
        return read<std::string>(quick_, [this, name = std::move(name)] {
            return store_->get(Family::ledger, note_key(name), "note " + name);
        });
    }
    Task<Result<void>> drop_note(std::string name) override;
    Task<Result<std::vector<Note>>> notes(std::string prefix,
                                          std::string after,
                                          unsigned max) override {
        return read<std::vector<Note>>(
            quick_, [this, prefix = std::move(prefix), after = std::move(after), max] {
                return store_->notes(prefix, after, max);
            });
    }
    Task<Result<Stock>> stock() override {
        return read<Stock>(counts_, [this] { return take_stock(*store_); });
    }
    MessageId last_id() const override { return committer_->last_id(); }
    SpoolHealth health() const override { return committer_->health(); }

  private:
    /// The answer lives outside the coroutine: a loop that is torn down may drop the waiter while
    /// the job still runs.
    template <class T>
    Task<Result<T>> read(ThreadWorkPool& pool, std::function<Result<T>()> job) {
        if (auto const ok = committer_->usable(); !ok) co_return std::unexpected(ok.error());
        auto const answer = std::make_shared<std::optional<Result<T>>>();
        std::function<void()> const work = [answer, job = std::move(job)] {
            *answer = job();
        };
        co_await pool.run(work);
        co_return std::move(**answer);
    }

    Task<Result<Committed>> submit(RocksCommitter::Request request);
    Ledger check_recovery(const Ledger& found,
                          const std::optional<HighWater>& mark,
                          std::string& alarm);

    SpoolDirectory directory_;  // first in, last out: it holds the lock
    DiskSpace space_;
    HighWaterFile mark_;
    Clock& clock_;
    Log& log_;
    std::unique_ptr<RocksStore> store_;
    std::unique_ptr<RocksDue> due_;
    std::unique_ptr<RocksCommitter> committer_;
    ThreadWorkPool quick_{1};  ///< point reads and pages: RocksDue wants one at a time
    ThreadWorkPool scans_{1};  ///< walks over everything
    ThreadWorkPool counts_{1};  ///< a walk that nobody waits for
};

Result<void> RocksSpool::recover(std::shared_ptr<rocksdb::FileSystem> files) {
    constexpr std::uint64_t replay_needs = 16ULL << 20;
    space_.takes_results(replay_needs);  // a full disk gives up the reserve before recovery, too
    auto const mark = mark_.read();
    if (auto const kept = directory_.keep_logs(); !kept) {
        log_.warning("spool.logs_not_kept", {{"why", kept.error().detail}});
    }
    auto store = RocksStore::open(directory_.store(), directory_.disk_size(), std::move(files));
    if (!store) return std::unexpected(store.error());
    store_ = std::move(*store);
    if (auto const ok = index_ages(*store_); !ok) return std::unexpected(ok.error());
    auto const ledger = store_->ledger();
    if (!ledger) return std::unexpected(ledger.error());
    RocksCommitter::Start start{.ledger = {}, .mark = &mark_, .alarm = {}};
    start.ledger = check_recovery(*ledger, mark, start.alarm);
    if (start.alarm.empty()) directory_.drop_logs();
    space_.restore_reserve();
    due_ = std::make_unique<RocksDue>(*store_);
    committer_ =
        std::make_unique<RocksCommitter>(*store_, *due_, space_, clock_, log_, std::move(start));
    log_.info("spool.open",
              {{"directory", directory_.path()},
               {"queued", ledger->queued},
               {"held", ledger->held},
               {"last_event", ledger->last_event}});
    return {};
}

/// Recovery of a log ends quietly at the first bad record. What we acknowledged says whether that
/// was the end.
Ledger RocksSpool::check_recovery(const Ledger& found,
                                  const std::optional<HighWater>& mark,
                                  std::string& alarm) {
    auto ledger = found;
    auto const sequence = store_->db().GetLatestSequenceNumber();
    if (!mark || sequence >= mark->sequence || planted("recovery-stops-silently")) return ledger;
    auto const kept = directory_.set_logs_aside(unix_seconds(clock_.wall()));
    alarm = "recovery ended at write " + std::to_string(sequence) + " of " +
            std::to_string(mark->sequence) +
            " acknowledged ones: mail accepted last may be lost; the damaged log is in " + kept;
    log_.error("spool.damaged", {{"why", alarm}});
    // The mark lags by up to a second. Ids that may have been seen outside are not used again.
    constexpr std::uint64_t events_in_the_lag = 1U << 20U;
    constexpr std::uint64_t ids_in_the_lag = 1000ULL << 21U;
    ledger.last_event = std::max(ledger.last_event, mark->last_event) + events_in_the_lag;
    ledger.last_id.value = std::max(ledger.last_id.value, mark->last_id.value) + ids_in_the_lag;
    return ledger;
}

Task<Result<Committed>> RocksSpool::submit(RocksCommitter::Request request) {
    auto start = [this, request = std::move(request)](auto handler) mutable {
        auto const home = asio::get_associated_executor(handler);
        request.home =
            asio::prefer(asio::any_io_executor(home), asio::execution::outstanding_work.tracked);
        request.done = std::move(handler);
        committer_->submit(std::move(request));
    };
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Result<Committed>)>(
        std::move(start), asio::use_awaitable);
}

Task<Result<void>> RocksSpool::trim(std::uint64_t up_to) {
    // In pieces, so that nobody else waits long.
    for (;;) {
        auto const first = co_await events(0, 1);
        if (!first) co_return std::unexpected(first.error());
        if (first->empty() || first->front().id > up_to) co_return Result<void>{};
        RocksCommitter::Request request;
        request.trim_to = up_to;
        auto const done = co_await submit(std::move(request));
        if (!done) co_return std::unexpected(done.error());
    }
}

Task<Result<void>> RocksSpool::put_note(std::string name, std::string value) {
    RocksCommitter::Request request;
    request.note.emplace(std::move(name), std::move(value));
    auto const done = co_await submit(std::move(request));
    if (!done) co_return std::unexpected(done.error());
    co_return Result<void>{};
}

Task<Result<void>> RocksSpool::drop_note(std::string name) {
    RocksCommitter::Request request;
    request.note.emplace(std::move(name), std::nullopt);
    auto const done = co_await submit(std::move(request));
    if (!done) co_return std::unexpected(done.error());
    co_return Result<void>{};
}

}  // namespace

Result<std::unique_ptr<Spool>> open_rocks_spool(RocksOptions options,
                                                asio::any_io_executor,
                                                Clock& clock,
                                                Log& log) {
    auto directory = SpoolDirectory::open(options.directory, log);
    if (!directory) return std::unexpected(directory.error());
    auto spool = std::make_unique<RocksSpool>(std::move(*directory), options, clock, log);
    if (auto const ok = spool->recover(options.files); !ok) return std::unexpected(ok.error());
    return spool;
}

}  // namespace millrace::relay
