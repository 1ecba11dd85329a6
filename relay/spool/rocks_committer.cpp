#include "relay/spool/rocks_committer.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>

#include "common/base/planted.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t group_requests = 2048;
constexpr std::uint64_t group_bytes = 32ULL << 20;
constexpr std::uint64_t most_waiting = 256ULL << 20;  // of new mail; beyond, clients get a 451
constexpr auto house_pause = std::chrono::seconds(1);

std::uint64_t body_bytes(const Batch& batch) {
    std::uint64_t bytes = 0;
    for (auto const& mail : batch.append)
        bytes += mail.body->size();
    return bytes;
}

bool only_new_mail(const Batch& batch) {
    return !batch.append.empty() && batch.finish.empty() && batch.change.empty();
}

}  // namespace

RocksCommitter::RocksCommitter(
    RocksStore& store, RocksDue& due, DiskSpace& space, Clock& clock, Log& log, Start start)
    : store_(store),
      due_(due),
      space_(space),
      clock_(clock),
      log_(log),
      ledger_(start.ledger),
      mark_(*start.mark),
      alarm_(std::move(start.alarm)) {
    find_oldest();
    publish();
    thread_ = std::thread([this] { run(); });
}

RocksCommitter::~RocksCommitter() {
    {
        std::lock_guard const lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void RocksCommitter::submit(Request request) {
    auto const bytes = body_bytes(request.batch);
    bool const bounded = only_new_mail(request.batch);
    bool taken = false;
    {
        std::lock_guard const lock(mutex_);
        if (!bounded || waiting_bytes_ + bytes <= most_waiting) {
            waiting_bytes_ += bytes;
            waiting_.push_back(std::move(request));
            taken = true;
        }
    }
    if (!taken) {
        auto home = request.home;
        boost::asio::post(home, [done = std::move(request.done)]() mutable {
            done(failure(Fault::unavailable, "the disk does not keep up with the new mail"));
        });
        return;
    }
    wake_.notify_one();
}

void RocksCommitter::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait_for(lock, house_pause, [&] { return stopping_ || !waiting_.empty(); });
        std::deque<Request> group;
        std::uint64_t bytes = 0;
        while (!waiting_.empty() && group.size() < group_requests && bytes < group_bytes) {
            bytes += body_bytes(waiting_.front().batch);
            group.push_back(std::move(waiting_.front()));
            waiting_.pop_front();
        }
        waiting_bytes_ -= bytes;
        bool const idle = waiting_.empty();
        bool const last = stopping_ && group.empty();
        lock.unlock();
        if (!group.empty()) write(group);
        if (last || idle || clock_.now() - marked_at_ >= house_pause) keep_house();
        if (last) return;
        lock.lock();
    }
}

void RocksCommitter::write(std::deque<Request>& group) {
    std::vector<Result<Committed>> results;
    results.reserve(group.size());
    if (auto const why = store_.background_error(); !why.empty()) break_down(why);
    RocksBatch batch(store_, ledger_);
    for (auto& request : group)
        results.push_back(decide(request, batch));
    if (!broken_ && !batch.empty()) {
        if (auto const durable = make_durable(batch); !durable) {
            for (auto& result : results) {
                if (result) result = std::unexpected(durable.error());
            }
        }
    }
    publish();
    answer(group, results);
}

Result<Committed> RocksCommitter::decide(Request& request, RocksBatch& batch) {
    if (auto const ok = usable(); !ok) return std::unexpected(ok.error());
    if (only_new_mail(request.batch) && !space_.takes_mail()) {
        return failure(Fault::full,
                       "less than " + std::to_string(space_.free_min() >> 20U) +
                           " MiB are free on the spool's disk");
    }
    if (!space_.takes_results(body_bytes(request.batch))) {
        return failure(Fault::full, "the spool's disk is full, and its reserve is used up");
    }
    if (request.note) batch.put_note(request.note->first, request.note->second);
    if (request.trim_to > trimmed_to_) {
        auto const done = batch.trim(trimmed_to_, request.trim_to);
        if (!done) return std::unexpected(done.error());
        trimmed_to_ = *done;
    }
    return batch.add(request.batch);
}

Result<void> RocksCommitter::make_durable(RocksBatch& batch) {
    rocksdb::WriteOptions options;
    options.sync = !planted("no-wal-sync");
    options.protection_bytes_per_key = 8;
    auto const status = store_.db().Write(options, &batch.finish());
    if (!status.ok() && !planted("fsync-retried")) {
        auto const failed = store_failure(status, "writing");
        break_down(failed.detail);
        return usable();
    }
    ledger_ = batch.ledger();
    due_.written(batch.due_keys());
    oldest_stale_ = true;
    return {};
}

void RocksCommitter::answer(std::deque<Request>& group, std::vector<Result<Committed>>& results) {
    using Answer = std::pair<std::move_only_function<void(Result<Committed>)>, Result<Committed>>;
    for (std::size_t i = 0; i < group.size();) {
        auto const home = group[i].home;
        std::vector<Answer> answers;
        for (; i < group.size() && group[i].home == home; ++i) {
            answers.emplace_back(std::move(group[i].done), std::move(results[i]));
        }
        boost::asio::post(home, [answers = std::move(answers)]() mutable {
            for (auto& [done, result] : answers)
                done(std::move(result));
        });
    }
}

void RocksCommitter::keep_house() {
    if (broken_) return;
    auto const now = clock_.now();
    if (oldest_stale_ && now - oldest_at_ >= house_pause / 10) {
        oldest_at_ = now;
        find_oldest();
        publish();
    }
    bool const stopping = [&] {
        std::lock_guard const lock(mutex_);
        return stopping_;
    }();
    auto const sequence = store_.db().GetLatestSequenceNumber();
    if (sequence != marked_ && (stopping || now - marked_at_ >= house_pause)) {
        marked_at_ = now;
        auto const written = mark_.write({sequence, ledger_.last_event, ledger_.last_id});
        if (written) {
            marked_ = sequence;
        } else {
            log_.warning("spool.high_water", {{"why", written.error().detail}});
        }
    }
    space_.restore_reserve();
}

void RocksCommitter::find_oldest() {
    auto const from = work_key(first_work_);
    auto const at = store_.iterate(Family::work, RocksStore::reading());
    at->Seek(from);
    auto oldest = never;
    if (at->Valid()) {
        first_work_ = parse_work_key(at->key().ToStringView());
        auto const record = decode_work(first_work_, at->value().ToStringView());
        oldest = record ? record->work.born : first_work_.message.made_at();
    }
    oldest_ = oldest.time_since_epoch().count();
    oldest_stale_ = false;
}

void RocksCommitter::publish() {
    last_id_ = ledger_.last_id.value;
    std::lock_guard const lock(words_mutex_);
    queued_ = ledger_.queued;
    books_ = ledger_.books;
}

void RocksCommitter::break_down(const std::string& why) {
    std::lock_guard const lock(words_mutex_);
    if (broken_) return;
    why_broken_ = why;
    broken_ = true;
    log_.error("spool.broken", {{"why", why}});
}

Result<void> RocksCommitter::usable() const {
    if (!broken_) return {};
    std::lock_guard const lock(words_mutex_);
    return failure(Fault::broken, why_broken_);
}

SpoolHealth RocksCommitter::health() const {
    SpoolHealth out;
    out.free_bytes = space_.free();
    out.oldest = Time(Duration(oldest_.load()));
    std::lock_guard const lock(words_mutex_);
    out.queued = queued_;
    out.books = books_;
    out.why = alarm_;
    if (out.free_bytes < space_.free_min()) {
        out.accepting = false;
        out.why = "less than " + std::to_string(space_.free_min() >> 20U) +
                  " MiB are free on the spool's disk";
    }
    auto const background = store_.background_error();
    if (broken_ || !background.empty()) {
        out.accepting = false;
        out.broken = true;
        out.why = broken_ ? why_broken_ : background;
    }
    return out;
}

}  // namespace millrace::relay
