#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <rocksdb/db.h>

#include "relay/spool/record.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// The column families and their keys. Numbers in keys are big-endian.
enum class Family : std::size_t {
    ledger,   ///< default: `ledger`, and `note:` NAME -> value
    message,  ///< id -> envelope
    body,     ///< id -> body
    work,     ///< id index -> work
    left,     ///< id -> unfinished recipients; only for messages with several
    due,      ///< destination NUL due id index -> born; SOH instead of NUL when held
    age,      ///< STX `n` born id index -> nothing; `t`: its sender has been told of the delay
    event,    ///< event id -> event
    story,    ///< message id, event id -> nothing
    count,
};

inline std::string_view view(const rocksdb::Slice& bytes) {
    return {bytes.data(), bytes.size()};
}

std::string message_key(MessageId id);
std::string work_key(const WorkKey& key);
std::string due_key(const Work& work);
/// For work that is not held.
std::string age_key(const Work& work);
/// The value of an entry in `due`.
std::string encode_born(Time born);
Time decode_born(std::string_view value);
std::string note_key(const std::string& name);
std::string event_key(std::uint64_t id);
std::string story_key(MessageId message, std::uint64_t event);
WorkKey parse_work_key(std::string_view key);
MessageId parse_message_key(std::string_view key);

/// RocksDB with the options that keep a 250 true (README.md here says why), and reads in our terms.
/// Thread: any.
class RocksStore {
  public:
    /// disk_size: of the filesystem, in bytes; buffers are kept in proportion.
    /// files: below everything, for fault tests; none: the machine's.
    static Result<std::unique_ptr<RocksStore>> open(const std::string& path,
                                                    std::uint64_t disk_size,
                                                    std::shared_ptr<rocksdb::FileSystem> files);
    ~RocksStore();
    RocksStore(const RocksStore&) = delete;

    rocksdb::DB& db() const { return *db_; }
    rocksdb::ColumnFamilyHandle* family(Family family) const {
        return families_[static_cast<std::size_t>(family)];
    }
    std::unique_ptr<rocksdb::Iterator> iterate(Family family,
                                               const rocksdb::ReadOptions& options) const;
    static rocksdb::ReadOptions reading();

    /// What went wrong in a flush or compaction, or empty. It never goes away.
    std::string background_error() const;

    /// The raw record; not_found says `what`.
    Result<std::string> get(Family family, const std::string& key, std::string_view what) const;
    /// As of `moment`; none: now.
    Result<Ledger> ledger(const rocksdb::Snapshot* moment = nullptr) const;
    Result<std::vector<Note>> notes(const std::string& prefix,
                                    const std::string& after,
                                    unsigned max) const;

    Result<Body> body(MessageId id) const;
    Result<Envelope> envelope(MessageId id) const;
    Result<StoredMail> mail(MessageId id) const;
    Result<std::vector<Event>> events(std::uint64_t after, unsigned max) const;
    Result<std::vector<Event>> history(MessageId id) const;
    Result<std::vector<Work>> find(const WorkFilter& filter, WorkKey after, unsigned max) const;
    Result<std::vector<Work>> works(const std::vector<WorkKey>& keys,
                                    const rocksdb::Snapshot* moment) const;

  private:
    class ErrorListener;
    RocksStore() = default;
    std::shared_ptr<ErrorListener> listener_;
    std::unique_ptr<rocksdb::Env> env_;
    std::unique_ptr<rocksdb::DB> db_;
    std::array<rocksdb::ColumnFamilyHandle*, static_cast<std::size_t>(Family::count)> families_{};
};

/// A status as a failure: corrupt or broken, with RocksDB's own words.
Failure store_failure(const rocksdb::Status& status, std::string_view doing);

}  // namespace millrace::relay
