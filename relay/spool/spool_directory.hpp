#pragma once

#include <cstdint>
#include <string>

#include "common/base/log.hpp"
#include "common/base/result.hpp"

namespace millrace::relay {

/// The spool's folder, held by one process: `spool.lock` carries the holder's pid, the store is in
/// `store/`. Released by the destructor, or by the end of the process.
class SpoolDirectory {
  public:
    /// Failure: unavailable, with what is wrong with the folder or who holds it, and the next step.
    static Result<SpoolDirectory> open(const std::string& path, Log& log);
    SpoolDirectory(SpoolDirectory&& other) noexcept;
    SpoolDirectory& operator=(SpoolDirectory&&) = delete;
    ~SpoolDirectory();

    const std::string& path() const { return path_; }
    std::string store() const { return path_ + "/store"; }
    /// Size of the filesystem, in bytes.
    std::uint64_t disk_size() const;

    /// Before the store replays its log: keeps a second name for each log file, in `replay/`.
    Result<void> keep_logs() const;
    /// After a good recovery.
    void drop_logs() const;
    /// After a bad one: returns the folder in which the logs stay for a closer look.
    std::string set_logs_aside(std::int64_t unix_time) const;

  private:
    SpoolDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
    std::string path_;
    int lock_;
};

}  // namespace millrace::relay
