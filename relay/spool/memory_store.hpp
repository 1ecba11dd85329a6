#pragma once

#include "common/base/log.hpp"
#include "relay/spool/memory_disk.hpp"

namespace millrace::relay {

/// The decisions of a commit, without waiting: which entries still hold, what they change, which
/// events they leave.
class MemoryStore {
  public:
    /// Recovers what the disk kept.
    MemoryStore(std::shared_ptr<MemoryDisk> disk, Log& log);

    const MemoryState& now() const { return state_; }
    MemoryDisk& disk() const { return *disk_; }
    unsigned incarnation() const { return incarnation_; }

    /// All that is known against the store; a fault that is set stays.
    Result<void> usable() const;
    void break_down(std::string why);
    const std::string& alarm() const { return alarm_; }

    /// Before the first write of a group of commits: nothing, except that some planted bugs spoil
    /// the order of things here.
    void begin(std::vector<Batch*> group, Time now);
    /// Makes one commit durable.
    Result<Committed> commit(const Batch& batch);
    Result<void> put(MemoryDelta delta);

  private:
    class Decision;
    bool room_for(const Batch& batch) const;
    /// Through the faults of the disk: the seam between what we ask for and what it does.
    Result<void> write(MemoryDelta delta, bool accepts);

    std::shared_ptr<MemoryDisk> disk_;
    Log& log_;
    MemoryState state_;
    unsigned incarnation_;
    std::string broken_, alarm_;
    Time last_writeback_{};
    unsigned writes_ = 0;
    std::set<WorkKey> forgotten_;  ///< planted: finished in this group, then overwritten
};

}  // namespace millrace::relay
