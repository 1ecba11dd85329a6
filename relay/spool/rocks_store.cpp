#include "relay/spool/rocks_store.hpp"

#include <algorithm>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>
#include <rocksdb/listener.h>

#include "common/base/check.hpp"
#include "relay/spool/filter.hpp"
#include "relay/spool/record_bytes.hpp"
#include "relay/spool/rocks_options.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t message_key_size = 8;
constexpr std::size_t work_key_size = 10;

rocksdb::Slice slice(std::string_view bytes) {
    return {bytes.data(), bytes.size()};
}

}  // namespace

/// A flush that fails leaves the store unable to free its logs: it counts like a failed write.
class RocksStore::ErrorListener final : public rocksdb::EventListener {
  public:
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        std::lock_guard const lock(mutex_);
        if (why_.empty()) why_ = store_failure(*status, "in the background").detail;
        set_ = true;
    }
    std::string why() const {
        if (!set_) return {};
        std::lock_guard const lock(mutex_);
        return why_;
    }

  private:
    mutable std::mutex mutex_;
    std::atomic<bool> set_{false};
    std::string why_;
};

std::string RocksStore::background_error() const {
    return listener_->why();
}

std::string message_key(MessageId id) {
    std::string key;
    append_be64(key, id.value);
    return key;
}

std::string work_key(const WorkKey& key) {
    auto out = message_key(key.message);
    append_be16(out, key.index);
    return out;
}

WorkKey parse_work_key(std::string_view key) {
    MILLRACE_CHECK(key.size() == work_key_size);
    return {MessageId{read_be64(key.substr(0, 8))}, read_be16(key.substr(8))};
}

std::string note_key(const std::string& name) {
    return "note:" + name;
}

MessageId parse_message_key(std::string_view key) {
    MILLRACE_CHECK(key.size() == message_key_size);
    return MessageId{read_be64(key)};
}

std::string event_key(std::uint64_t id) {
    std::string key;
    append_be64(key, id);
    return key;
}

std::string story_key(MessageId message, std::uint64_t event) {
    auto key = message_key(message);
    append_be64(key, event);
    return key;
}

Failure store_failure(const rocksdb::Status& status, std::string_view doing) {
    auto const fault = status.IsCorruption() ? Fault::corrupt : Fault::broken;
    return {fault, "the spool's store failed " + std::string(doing) + ": " + status.ToString()};
}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const std::string& path,
                                                     std::uint64_t disk_size,
                                                     std::shared_ptr<rocksdb::FileSystem> files) {
    std::unique_ptr<RocksStore> store(new RocksStore);
    auto options = store_options(disk_size);
    if (files) {
        store->env_ = rocksdb::NewCompositeEnv(files);
        options.env = store->env_.get();
    }
    store->listener_ = std::make_shared<ErrorListener>();
    options.listeners.push_back(store->listener_);
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    auto const status = rocksdb::DB::Open(options, path, family_options(disk_size), &handles, &db);
    if (!status.ok()) {
        return failure(
            status.IsCorruption() ? Fault::corrupt : Fault::unavailable,
            "the store in " + path + " cannot be opened: " + status.ToString() +
                "; nothing was changed: restore the file it names, or move the folder aside to "
                "start empty and keep it for recovery");
    }
    store->db_.reset(db);
    MILLRACE_CHECK(handles.size() == store->families_.size());
    std::ranges::copy(handles, store->families_.begin());
    return store;
}

RocksStore::~RocksStore() {
    for (auto* const handle : families_) {
        if (handle != nullptr) db_->DestroyColumnFamilyHandle(handle);
    }
    if (db_) db_->Close();
}

rocksdb::ReadOptions RocksStore::reading() {
    rocksdb::ReadOptions options;
    options.verify_checksums = true;
    return options;
}

std::unique_ptr<rocksdb::Iterator> RocksStore::iterate(Family in,
                                                       const rocksdb::ReadOptions& options) const {
    return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, family(in)));
}

Result<std::string> RocksStore::get(Family in,
                                    const std::string& key,
                                    std::string_view what) const {
    std::string value;
    auto const status = db_->Get(reading(), family(in), key, &value);
    if (status.IsNotFound()) return failure(Fault::not_found, "no " + std::string(what));
    if (!status.ok()) return std::unexpected(store_failure(status, "reading " + std::string(what)));
    return value;
}

Result<Ledger> RocksStore::ledger(const rocksdb::Snapshot* moment) const {
    auto options = reading();
    options.snapshot = moment;
    std::string bytes;
    auto const status = db_->Get(options, family(Family::ledger), "ledger", &bytes);
    if (status.IsNotFound()) return Ledger{};
    if (!status.ok()) return std::unexpected(store_failure(status, "reading the ledger"));
    return decode_ledger(bytes);
}

Result<std::vector<Note>> RocksStore::notes(const std::string& prefix,
                                            const std::string& after,
                                            unsigned max) const {
    std::vector<Note> out;
    auto const from = note_key(std::max(prefix, after));
    auto const whole = note_key(prefix);
    auto const at = iterate(Family::ledger, reading());
    for (at->Seek(from); at->Valid() && out.size() < max; at->Next()) {
        if (!at->key().starts_with(whole)) break;
        auto name = std::string(view(at->key()).substr(note_key("").size()));
        if (name <= after) continue;
        out.push_back({std::move(name), at->value().ToString()});
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "reading notes"));
    return out;
}

Result<Body> RocksStore::body(MessageId id) const {
    rocksdb::PinnableSlice bytes;
    auto const status = db_->Get(reading(), family(Family::body), message_key(id), &bytes);
    if (status.IsNotFound()) return failure(Fault::not_found, "no body for " + id.text());
    if (!status.ok()) return std::unexpected(store_failure(status, "reading a body"));
    auto body = decode_body(view(bytes));
    if (!body) body.error().detail += " (message " + id.text() + ")";
    return body;
}

Result<Envelope> RocksStore::envelope(MessageId id) const {
    auto const bytes = get(Family::message, message_key(id), "message " + id.text());
    if (!bytes) return std::unexpected(bytes.error());
    return decode_envelope(id, *bytes);
}

Result<StoredMail> RocksStore::mail(MessageId id) const {
    auto envelope = this->envelope(id);
    if (!envelope) return std::unexpected(envelope.error());
    StoredMail out{std::move(*envelope), {}};
    WorkFilter all;
    all.message = id;
    auto works = find(all, {}, UINT16_MAX);
    if (!works) return std::unexpected(works.error());
    out.works = std::move(*works);
    return out;
}

Result<std::vector<Event>> RocksStore::events(std::uint64_t after, unsigned max) const {
    std::vector<Event> out;
    auto const from = event_key(after + 1);
    auto const at = iterate(Family::event, reading());
    for (at->Seek(from); at->Valid() && out.size() < max; at->Next()) {
        auto event = decode_event(read_be64(view(at->key())), view(at->value()));
        if (!event) return std::unexpected(event.error());
        out.push_back(std::move(*event));
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "reading events"));
    return out;
}

Result<std::vector<Event>> RocksStore::history(MessageId id) const {
    std::vector<Event> out;
    auto const from = message_key(id);
    auto const at = iterate(Family::story, reading());
    for (at->Seek(from); at->Valid() && at->key().starts_with(from); at->Next()) {
        auto const event = read_be64(view(at->key()).substr(from.size()));
        auto const bytes = get(Family::event, event_key(event), "event");
        if (!bytes && bytes.error().fault == Fault::not_found) continue;  // trimmed meanwhile
        if (!bytes) return std::unexpected(bytes.error());
        auto decoded = decode_event(event, *bytes);
        if (!decoded) return std::unexpected(decoded.error());
        out.push_back(std::move(*decoded));
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "reading a story"));
    return out;
}

Result<std::vector<Work>> RocksStore::find(const WorkFilter& filter,
                                           WorkKey after,
                                           unsigned max) const {
    std::vector<Work> out;
    auto start = after;
    if (filter.message) start = std::max(after, WorkKey{*filter.message, 0});
    auto const from = work_key(start);
    auto const at = iterate(Family::work, reading());
    MessageId judged{};  // the last message whose envelope was asked, and what it said
    bool judgement = false;
    for (at->Seek(from); at->Valid() && out.size() < max; at->Next()) {
        auto const key = parse_work_key(view(at->key()));
        if (key <= after) continue;
        if (filter.message && key.message != *filter.message) break;
        auto record = decode_work(key, view(at->value()));
        if (!record) return std::unexpected(record.error());
        if (!matches(filter, record->work)) continue;
        if (needs_envelope(filter)) {
            if (key.message != judged) {
                auto const envelope = this->envelope(key.message);
                judgement = envelope && matches(filter, *envelope);
                judged = key.message;
            }
            if (!judgement) continue;
        }
        out.push_back(std::move(record->work));
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "searching"));
    return out;
}

Result<std::vector<Work>> RocksStore::works(const std::vector<WorkKey>& keys,
                                            const rocksdb::Snapshot* moment) const {
    std::vector<std::string> names;
    std::vector<rocksdb::Slice> slices;
    for (auto const& key : keys)
        names.push_back(work_key(key));
    for (auto const& name : names)
        slices.push_back(slice(name));
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    auto options = reading();
    options.snapshot = moment;
    db_->MultiGet(
        options, family(Family::work), keys.size(), slices.data(), values.data(), statuses.data());
    std::vector<Work> out;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!statuses[i].ok()) {
            return std::unexpected(store_failure(statuses[i], "reading a queued work"));
        }
        auto record = decode_work(keys[i], view(values[i]));
        if (!record) return std::unexpected(record.error());
        out.push_back(std::move(record->work));
    }
    return out;
}

}  // namespace millrace::relay
