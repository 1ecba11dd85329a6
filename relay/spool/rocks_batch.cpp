#include "relay/spool/rocks_batch.hpp"

#include <algorithm>

#include "common/base/check.hpp"
#include "relay/spool/record_bytes.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t protection = 8;  // bytes per key: a flipped bit on the way is an error

/// What a queue index key cannot hold, and no domain has.
bool indexable(const std::string& destination) {
    return std::ranges::none_of(destination, [](char c) { return c == '\0' || c == '\1'; });
}

}  // namespace

RocksBatch::RocksBatch(const RocksStore& store, const Ledger& ledger)
    : store_(store), ledger_(ledger), write_(0, 0, protection, 0) {}

Result<Committed> RocksBatch::add(const Batch& batch) {
    if (auto const ok = load(batch); !ok) return std::unexpected(ok.error());
    Committed out;
    for (auto const& mail : batch.append)
        append(mail, out);
    for (auto const& entry : batch.change)
        change(entry, out);
    for (auto const& entry : batch.finish)
        finish(entry, out);
    return out;
}

/// Everything that can fail happens here, before the first key is written.
Result<void> RocksBatch::load(const Batch& batch) {
    for (auto const& mail : batch.append) {
        MILLRACE_CHECK(mail.body && mail.works.size() == mail.envelope.recipients.size());
        for (auto const& work : mail.works) {
            if (!indexable(work.destination)) {
                return failure(Fault::invalid, "a destination holds control characters");
            }
        }
        auto const id = mail.envelope.id;
        if (id > ledger_.last_id) continue;  // ids grow, so this is nearly always enough
        auto const found = store_.get(Family::message, message_key(id), "message");
        if (found) {
            stored_.insert(id);
        } else if (found.error().fault != Fault::not_found) {
            return std::unexpected(found.error());
        }
    }
    for (auto const& entry : batch.change) {
        if (!indexable(entry.work.destination)) {
            return failure(Fault::invalid, "a destination holds control characters");
        }
        if (auto const ok = load(entry.work.key); !ok) return ok;
    }
    for (auto const& entry : batch.finish) {
        if (auto const ok = load(entry.key); !ok) return ok;
    }
    return {};
}

Result<void> RocksBatch::load(const WorkKey& key) {
    if (known_.contains(key)) return {};
    auto const bytes = store_.get(Family::work, work_key(key), "work");
    if (!bytes) {
        if (bytes.error().fault != Fault::not_found) return std::unexpected(bytes.error());
        known_.emplace(key, std::nullopt);
        return {};
    }
    auto record = decode_work(key, *bytes);
    if (!record) return std::unexpected(record.error());
    if (record->recipients > 1 && !left_.contains(key.message)) {
        auto const left = store_.get(Family::left, message_key(key.message), "count of recipients");
        if (!left) return std::unexpected(left.error());
        if (left->size() != 2) return failure(Fault::corrupt, "a count of recipients is malformed");
        left_.emplace(key.message, read_be16(*left));
    }
    known_.emplace(key, std::move(*record));
    return {};
}

void RocksBatch::append(const NewMail& mail, Committed& out) {
    auto const& envelope = mail.envelope;
    if (!stored_.insert(envelope.id).second) {
        ++out.stale;
        return;
    }
    put(Family::message, message_key(envelope.id), encode(envelope));
    put(Family::body, message_key(envelope.id), encode_body(*mail.body));
    auto const recipients = static_cast<std::uint16_t>(mail.works.size());
    for (auto const& work : mail.works) {
        put_work({work, recipients});
        put_due(work);
        put_age(work);
        put_event(received_event(envelope, work.key.index), work.key, out);
        ledger_.books.enter(EventKind::received);
        ++ledger_.queued;
        ledger_.held += work.held ? 1 : 0;
    }
    if (recipients > 1) {
        left_[envelope.id] = recipients;
        std::string count;
        append_be16(count, recipients);
        put(Family::left, message_key(envelope.id), count);
    }
    ledger_.last_id = std::max(ledger_.last_id, envelope.id);
}

const WorkRecord* RocksBatch::current(const WorkKey& key,
                                      std::uint32_t version,
                                      Committed& out) const {
    auto const& known = known_.at(key);
    if (known && known->work.version == version) return &*known;
    ++out.stale;
    return nullptr;
}

void RocksBatch::change(const Batch::Change& change, Committed& out) {
    auto const* const before = current(change.work.key, change.version, out);
    if (before == nullptr) return;
    WorkRecord after{change.work, before->recipients};
    after.work.version = change.version + 1;
    ledger_.held -= before->work.held ? 1 : 0;
    ledger_.held += after.work.held ? 1 : 0;
    if (due_key(before->work) != due_key(after.work) || before->work.born != after.work.born) {
        drop_due(before->work);
        put_due(after.work);
    }
    bool const same_age = before->work.held == after.work.held &&
                          age_key(before->work) == age_key(after.work);
    if (!same_age) {
        drop_age(before->work);
        put_age(after.work);
    }
    put_work(after);
    if (change.event) put_event(*change.event, change.work.key, out);
}

void RocksBatch::finish(const Batch::Finish& finish, Committed& out) {
    auto const* const before = current(finish.key, finish.version, out);
    if (before == nullptr) return;
    drop_due(before->work);
    drop_age(before->work);
    drop(Family::work, work_key(finish.key));
    auto const recipients = before->recipients;
    auto event = finish.event;
    event.last = recipients <= 1 || left_.at(finish.key.message) == 1;
    ledger_.books.enter(event.kind);
    put_event(std::move(event), finish.key, out);
    --ledger_.queued;
    ledger_.held -= before->work.held ? 1 : 0;
    known_[finish.key] = std::nullopt;
    one_less(finish.key, recipients);
}

void RocksBatch::one_less(const WorkKey& key, std::uint16_t recipients) {
    auto const name = message_key(key.message);
    if (recipients > 1) {
        auto& left = left_.at(key.message);
        MILLRACE_CHECK(left > 0);
        if (--left > 0) {
            std::string count;
            append_be16(count, static_cast<std::uint16_t>(left));
            put(Family::left, name, count);
            return;
        }
        drop(Family::left, name);
    }
    drop_once(Family::message, name);
    drop_once(Family::body, name);
}

void RocksBatch::put_work(const WorkRecord& record) {
    put(Family::work, work_key(record.work.key), encode(record));
    known_[record.work.key] = record;
}

void RocksBatch::put_due(const Work& work) {
    due_keys_.push_back(due_key(work));
    put(Family::due, due_keys_.back(), encode_born(work.born));
}

void RocksBatch::drop_due(const Work& work) {
    drop_once(Family::due, due_key(work));
}

void RocksBatch::put_age(const Work& work) {
    if (work.held) return;
    due_keys_.push_back(age_key(work));
    put(Family::age, due_keys_.back(), {});
}

void RocksBatch::drop_age(const Work& work) {
    if (!work.held) drop_once(Family::age, age_key(work));
}

void RocksBatch::put_event(Event event, const WorkKey& key, Committed& out) {
    event.id = ++ledger_.last_event;
    event.message = key.message;
    event.recipient_index = key.index;
    put(Family::event, event_key(event.id), encode(event));
    put(Family::story, story_key(key.message, event.id), {});
    out.events.push_back(std::move(event));
}

void RocksBatch::put_note(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
        put(Family::ledger, note_key(name), *value);
    } else {
        drop(Family::ledger, note_key(name));
    }
}

Result<std::uint64_t> RocksBatch::trim(std::uint64_t from, std::uint64_t up_to) {
    constexpr unsigned at_most = 4096;
    auto options = RocksStore::reading();
    auto const at = store_.iterate(Family::event, options);
    unsigned dropped = 0;
    for (at->Seek(event_key(from + 1)); at->Valid(); at->Next()) {
        auto const id = read_be64({at->key().data(), at->key().size()});
        if (id > up_to) break;
        if (dropped++ == at_most) return id - 1;
        auto const event = decode_event(id, {at->value().data(), at->value().size()});
        if (event) drop_once(Family::story, story_key(event->message, id));
        drop_once(Family::event, event_key(id));
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "reading events"));
    return up_to;
}

rocksdb::WriteBatch& RocksBatch::finish() {
    put(Family::ledger, "ledger", encode(ledger_));
    return write_;
}

// RocksDB puts keys into a WriteBatch by value; with protection on, the only failure is a key that
// is too long, which ours are not.
void RocksBatch::put(Family family, const std::string& key, const std::string& value) {
    MILLRACE_CHECK(write_.Put(store_.family(family), key, value).ok());
}

void RocksBatch::drop(Family family, const std::string& key) {
    MILLRACE_CHECK(write_.Delete(store_.family(family), key).ok());
}

void RocksBatch::drop_once(Family family, const std::string& key) {
    MILLRACE_CHECK(write_.SingleDelete(store_.family(family), key).ok());
}

}  // namespace millrace::relay
