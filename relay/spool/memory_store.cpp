#include "relay/spool/memory_store.hpp"

#include "common/base/check.hpp"
#include "common/base/planted.hpp"
#include "relay/spool/crc32c.hpp"

namespace millrace::relay {

/// Works through one batch against a state that grows with it.
class MemoryStore::Decision {
  public:
    explicit Decision(MemoryState& state) : state_(state) {}

    void append(const NewMail& mail) {
        auto const& envelope = mail.envelope;
        MILLRACE_CHECK(mail.works.size() == envelope.recipients.size() && mail.body);
        if (state_.envelopes.contains(envelope.id)) {
            ++committed.stale;
            return;
        }
        MemoryDelta step;
        step.envelopes.emplace_back(envelope.id, std::make_shared<const Envelope>(envelope));
        step.bodies.emplace_back(envelope.id, KeptBody{mail.body, crc32c(*mail.body)});
        for (auto const& work : mail.works) {
            step.works.emplace_back(work.key, std::make_shared<const Work>(work));
            add_event(step, received_event(envelope, work.key.index), work.key);
        }
        take(std::move(step));
    }

    void change(const Batch::Change& change) {
        if (!current(change.work.key, change.version)) return;
        MemoryDelta step;
        auto work = change.work;
        work.version = change.version + 1;
        step.works.emplace_back(work.key, std::make_shared<const Work>(work));
        if (change.event) add_event(step, *change.event, work.key);
        take(std::move(step));
    }

    void finish(const Batch::Finish& finish, bool keep_work) {
        if (!current(finish.key, finish.version)) return;
        MemoryDelta step;
        auto event = finish.event;
        event.last = state_.left(finish.key.message) == 1;
        add_event(step, std::move(event), finish.key);
        if (!keep_work) {
            step.works.emplace_back(finish.key, nullptr);
            if (state_.left(finish.key.message) == 1) {
                step.envelopes.emplace_back(finish.key.message, nullptr);
                step.bodies.emplace_back(finish.key.message, KeptBody{});
            }
        }
        take(std::move(step));
    }

    MemoryDelta delta;
    Committed committed;

  private:
    bool current(const WorkKey& key, std::uint32_t version) {
        auto const found = state_.works.find(key);
        bool const same = found != state_.works.end() && found->second->version == version;
        if (!same) ++committed.stale;
        return same;
    }
    void add_event(MemoryDelta& step, Event event, const WorkKey& key) {
        event.id = state_.last_event + step.events.size() + 1;
        event.message = key.message;
        event.recipient_index = key.index;
        step.events.push_back(std::make_shared<const Event>(event));
        committed.events.push_back(std::move(event));
    }
    void take(MemoryDelta step) {
        state_.apply(step);
        auto const move_all = [](auto& from, auto& to) {
            std::ranges::move(from, std::back_inserter(to));
        };
        move_all(step.envelopes, delta.envelopes);
        move_all(step.bodies, delta.bodies);
        move_all(step.works, delta.works);
        move_all(step.events, delta.events);
    }

    MemoryState& state_;
};

MemoryStore::MemoryStore(std::shared_ptr<MemoryDisk> disk, Log& log)
    : disk_(std::move(disk)), log_(log), incarnation_(disk_->incarnation_) {
    auto recovered = disk_->recover();
    state_ = std::move(recovered.state);
    if (recovered.lost != 0) {
        alarm_ = std::to_string(recovered.lost) +
                 " acknowledged writes behind a damaged record could not be recovered";
        log_.error("spool.damaged", {{"why", alarm_}});
    }
}

Result<void> MemoryStore::usable() const {
    if (disk_->incarnation_ != incarnation_) return failure(Fault::broken, "the power was cut");
    if (!broken_.empty()) return failure(Fault::broken, broken_);
    return {};
}

void MemoryStore::break_down(std::string why) {
    if (broken_.empty()) {
        broken_ = std::move(why);
        log_.error("spool.broken", {{"why", broken_}});
    }
}

bool MemoryStore::room_for(const Batch& batch) const {
    bool const result = !batch.finish.empty() || !batch.change.empty();
    auto const limit =
        result ? disk_->capacity : disk_->capacity - std::min(disk_->capacity, disk_->reserve);
    std::uint64_t wanted = state_.body_bytes;
    for (auto const& mail : batch.append)
        wanted += mail.body->size();
    return batch.append.empty() || wanted <= limit;
}

void MemoryStore::begin(std::vector<Batch*> group, Time now) {
    forgotten_.clear();
    if (now - last_writeback_ >= std::chrono::seconds(5)) {  // what the kernel does by itself
        last_writeback_ = now;
        disk_->sync();
    }
    if (planted("body-deleted-first")) {
        for (auto const* batch : group) {
            for (auto const& finish : batch->finish) {
                if (state_.left(finish.key.message) != 1) continue;
                MemoryDelta early;
                early.bodies.emplace_back(finish.key.message, KeptBody{});
                state_.apply(early);
                disk_->write(std::move(early), true);
            }
        }
    }
    if (planted("lost-update")) {
        // Both writers read the row of the message before either wrote it: the first mark is lost.
        std::map<MessageId, WorkKey> before;
        for (auto const* batch : group) {
            for (auto const& finish : batch->finish) {
                auto const [seen, first] = before.emplace(finish.key.message, finish.key);
                if (!first) forgotten_.insert(seen->second);
            }
        }
    }
}

Result<Committed> MemoryStore::commit(const Batch& batch) {
    if (auto const ok = usable(); !ok) return std::unexpected(ok.error());
    if (!room_for(batch)) {
        return failure(Fault::full, "no room for new mail; delivery results still have theirs");
    }
    Decision decision(state_);
    for (auto const& mail : batch.append)
        decision.append(mail);
    for (auto const& change : batch.change)
        decision.change(change);
    for (auto const& finish : batch.finish) {
        decision.finish(finish, forgotten_.contains(finish.key));
    }
    if (auto const written = write(std::move(decision.delta), !batch.append.empty()); !written) {
        return std::unexpected(written.error());
    }
    return std::move(decision.committed);
}

Result<void> MemoryStore::put(MemoryDelta delta) {
    if (auto const ok = usable(); !ok) return ok;
    state_.apply(delta);
    return write(std::move(delta), false);
}

Result<void> MemoryStore::write(MemoryDelta delta, bool accepts) {
    ++writes_;
    if (disk_->faults.short_writes > 0) {
        --disk_->faults.short_writes;
        disk_->write(std::move(delta), true, false);
        if (planted("short-write-ignored")) return {};
        break_down("the disk took a part of a write");
        disk_->log_.pop_back();  // recovery sees the torn end of the log and drops it
        return usable();
    }
    if (disk_->faults.failing_syncs > 0) {
        --disk_->faults.failing_syncs;
        // The kernel marks the pages clean: a second fsync would report success and keep nothing.
        if (planted("fsync-retried")) {
            disk_->write(std::move(delta), true, false);
            return {};
        }
        break_down("fsync: input/output error");
        return usable();
    }
    if (planted("no-wal-sync")) {
        disk_->write(std::move(delta), false);
        return {};
    }
    if (planted("no-directory-sync")) {
        // Each 16th write begins a new segment; its name is on disk only with the next one.
        if (writes_ % 16 == 0) disk_->sync();
        disk_->write(std::move(delta), false);
        return {};
    }
    if (planted("body-after-metadata") && accepts) {
        MemoryDelta bodies;
        bodies.bodies = std::exchange(delta.bodies, {});
        disk_->write(std::move(delta), true);
        disk_->write(std::move(bodies), false);
        return {};
    }
    disk_->write(std::move(delta), true);
    return {};
}

}  // namespace millrace::relay
