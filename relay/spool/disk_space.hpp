#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "common/base/log.hpp"
#include "common/net/clock.hpp"

namespace millrace::relay {

/// Who may still write. New mail stops while `free_min` bytes are left; delivery results go on, and
/// when the disk fills up from elsewhere a file that was set aside for them is given back.
/// Thread: any.
class DiskSpace {
  public:
    DiskSpace(std::string directory,
              std::uint64_t free_min,
              std::uint64_t reserve,
              Clock& clock,
              Log& log);
    DiskSpace(const DiskSpace&) = delete;

    /// Free bytes, at most 100 ms old; every time anew when it is getting tight.
    std::uint64_t free();
    std::uint64_t free_min() const { return free_min_; }
    bool takes_mail() { return free() >= free_min_; }
    /// Whether `bytes` of results can still be written; gives the reserve back when they need it.
    bool takes_results(std::uint64_t bytes);
    /// Sets the reserve aside (again) when there is room.
    void restore_reserve();

  private:
    std::uint64_t look() const;
    std::uint64_t free_locked();

    std::string directory_, reserve_name_;
    std::uint64_t free_min_, reserve_;
    Clock& clock_;
    Log& log_;
    std::mutex mutex_;
    std::uint64_t seen_ = 0;
    Time seen_at_{};
    bool reserved_ = false;
    Time restore_after_{};
};

}  // namespace millrace::relay
