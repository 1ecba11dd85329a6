#pragma once

#include <map>
#include <optional>
#include <set>

#include <rocksdb/write_batch.h>

#include "relay/spool/rocks_store.hpp"

namespace millrace::relay {

/// One group of commits on its way into one synced write. Decides what still holds – against the
/// store and against what the group itself has already changed – and lists the keys to write.
/// Thread: the committer's.
class RocksBatch {
  public:
    RocksBatch(const RocksStore& store, const Ledger& ledger);

    /// All of one batch, or nothing of it. Failure: invalid, corrupt, broken (a record that it
    /// depends on cannot be read).
    Result<Committed> add(const Batch& batch);
    /// No value: it is removed.
    void put_note(const std::string& name, const std::optional<std::string>& value);
    /// Drops events after `from` and up to `up_to`, at most some thousand; says how far it came,
    /// which is `up_to` when nothing is left.
    Result<std::uint64_t> trim(std::uint64_t from, std::uint64_t up_to);

    /// The whole group, ledger included.
    rocksdb::WriteBatch& finish();
    const Ledger& ledger() const { return ledger_; }
    /// Index keys that were put, for RocksDue::written().
    const std::vector<std::string>& due_keys() const { return due_keys_; }
    /// Nothing to write: everything was stale or refused.
    bool empty() const { return write_.Count() == 0; }

  private:
    using Known = std::map<WorkKey, std::optional<WorkRecord>>;

    Result<void> load(const Batch& batch);
    Result<void> load(const WorkKey& key);
    bool is_new(MessageId id) const;
    const WorkRecord* current(const WorkKey& key, std::uint32_t version, Committed& out) const;
    void append(const NewMail& mail, Committed& out);
    void change(const Batch::Change& change, Committed& out);
    void finish(const Batch::Finish& finish, Committed& out);
    void put_work(const WorkRecord& record);
    void put_due(const Work& work);
    void drop_due(const Work& work);
    void put_age(const Work& work);
    void drop_age(const Work& work);
    void put_event(Event event, const WorkKey& key, Committed& out);
    void one_less(const WorkKey& key, std::uint16_t recipients);
    void put(Family family, const std::string& key, const std::string& value);
    void drop(Family family, const std::string& key);       ///< of keys that are put again
    void drop_once(Family family, const std::string& key);  ///< of keys that are put only once

    const RocksStore& store_;
    Ledger ledger_;
    rocksdb::WriteBatch write_;
    Known known_;                         ///< what the group sees; nothing: finished
    std::map<MessageId, unsigned> left_;  ///< of messages with several recipients
    std::set<MessageId> stored_;          ///< ids asked for that exist already
    std::vector<std::string> due_keys_;
};

}  // namespace millrace::relay
