#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// The bytes of a message with the checksum they had when they were stored.
struct KeptBody {
    Body bytes;
    std::uint32_t crc = 0;
};

/// What one commit changes, as values. An empty right side means: gone.
struct MemoryDelta {
    std::vector<std::pair<MessageId, std::shared_ptr<const Envelope>>> envelopes;
    std::vector<std::pair<MessageId, KeptBody>> bodies;
    std::vector<std::pair<WorkKey, std::shared_ptr<const Work>>> works;
    std::vector<std::shared_ptr<const Event>> events;
    std::vector<std::pair<std::string, std::optional<std::string>>> notes;
    std::uint64_t trim_to = 0;
};

/// Everything a spool knows. Only apply() changes it: the same deltas lead to the same state.
struct MemoryState {
    std::map<MessageId, std::shared_ptr<const Envelope>> envelopes;
    std::map<MessageId, KeptBody> bodies;
    std::map<WorkKey, std::shared_ptr<const Work>> works;
    /// Work that is not held, in the order in which it is handed out.
    std::map<std::string, std::set<std::pair<Time, WorkKey>>> due;
    /// The same by birth; second: of whose delay the sender has been told.
    std::array<std::set<std::pair<Time, WorkKey>>, 2> age;
    std::map<std::uint64_t, std::shared_ptr<const Event>> events;
    std::map<MessageId, std::vector<std::uint64_t>> story;
    std::map<std::string, std::string> notes;
    std::uint64_t last_event = 0;
    MessageId last_id;
    std::uint64_t body_bytes = 0;
    Books books;

    void apply(const MemoryDelta& delta);
    /// Unfinished recipients of a message.
    unsigned left(MessageId id) const;
    /// The books, and everything counted.
    Stock stock() const;

  private:
    void set_work(const WorkKey& key, const std::shared_ptr<const Work>& work);
    void set_body(MessageId id, const KeptBody& body);
    void trim(std::uint64_t up_to);
};

/// A disk that outlives the process: a state and on top of it the latest writes, of which some may
/// not have reached the platter. Successive MemorySpools share it, one at a time.
/// Thread: the loop's.
class MemoryDisk {
  public:
    /// What coming writes meet.
    struct Faults {
        unsigned failing_syncs = 0;  ///< that many syncs report EIO and drop what they should keep
        unsigned short_writes = 0;   ///< that many writes store a part and say so
    };
    Faults faults;
    /// Bytes of bodies that fit. New mail is refused as full above `capacity - reserve`.
    std::uint64_t capacity = UINT64_MAX;
    std::uint64_t reserve = 0;

    /// A power cut. Unsynced writes are gone. Of the n commits being written at this moment the
    /// first keep(n) turn out to be whole, none without `keep`. The spool on this disk is dead:
    /// what it is still asked fails as broken. Call this before the machine's coroutines are
    /// destroyed, because they hold the commits being written. A new MemorySpool recovers.
    void crash(const std::function<std::size_t(std::size_t)>& keep = {});

    /// Turns one bit of a stored body; false if there is none.
    bool rot(MessageId id);
    /// Books a recipient that never came; seen by the next spool that is opened.
    void misbook() { ++base_.books.received; }
    /// Spoils the record of the nth last write that is still in the log; recovery meets it.
    bool damage(std::size_t nth_last);

    /// What a restart would find now. For checkers.
    MemoryState durable() const;

  private:
    friend class MemorySpool;
    friend class MemoryStore;
    struct Entry {
        MemoryDelta delta;
        bool synced = true;
        bool readable = true;
    };
    struct Recovered {
        MemoryState state;
        std::size_t lost = 0;  ///< acknowledged writes behind an unreadable one
    };

    void write(MemoryDelta delta, bool synced, bool readable = true);
    void sync();
    Recovered recover();

    MemoryState base_;
    std::deque<Entry> log_;  ///< newest last
    unsigned incarnation_ = 0;
    std::function<void(const std::function<std::size_t(std::size_t)>&)> die_;  ///< of the spool
};

}  // namespace millrace::relay
