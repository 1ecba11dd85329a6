#include "relay/spool/disk_space.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace millrace::relay {
namespace {

/// What the store itself needs to stay healthy: a flush, a manifest, its own log.
constexpr std::uint64_t floor_bytes = 4ULL << 20;
constexpr auto freshness = std::chrono::milliseconds(100);
constexpr auto restore_pause = std::chrono::seconds(10);

}  // namespace

DiskSpace::DiskSpace(
    std::string directory, std::uint64_t free_min, std::uint64_t reserve, Clock& clock, Log& log)
    : directory_(std::move(directory)),
      reserve_name_(directory_ + "/reserve"),
      free_min_(free_min),
      reserve_(reserve),
      clock_(clock),
      log_(log) {
    struct stat info{};
    reserved_ = reserve_ > 0 && ::stat(reserve_name_.c_str(), &info) == 0 &&
                static_cast<std::uint64_t>(info.st_size) >= reserve_;
}

std::uint64_t DiskSpace::look() const {
    struct statvfs info{};
    if (::statvfs(directory_.c_str(), &info) != 0) return 0;
    return static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
}

std::uint64_t DiskSpace::free_locked() {
    auto const now = clock_.now();
    bool const roomy = seen_ > 2 * (free_min_ + reserve_);
    if (seen_at_ == Time{} || now - seen_at_ >= freshness || now < seen_at_ || !roomy) {
        seen_ = look();
        seen_at_ = now;
    }
    return seen_;
}

std::uint64_t DiskSpace::free() {
    std::lock_guard const lock(mutex_);
    return free_locked();
}

bool DiskSpace::takes_results(std::uint64_t bytes) {
    std::lock_guard const lock(mutex_);
    auto const wanted = floor_bytes + 2 * bytes;
    if (free_locked() >= std::max(wanted, reserve_ / 2)) return true;
    if (reserved_) {
        reserved_ = false;
        ::unlink(reserve_name_.c_str());
        restore_after_ = clock_.now() + restore_pause;
        seen_ = look();
        log_.warning("spool.reserve_released", {{"free_bytes", seen_}});
    }
    return seen_ >= wanted;
}

void DiskSpace::restore_reserve() {
    std::lock_guard const lock(mutex_);
    if (reserved_ || reserve_ == 0 || clock_.now() < restore_after_) return;
    restore_after_ = clock_.now() + restore_pause;
    if (look() < free_min_ + 2 * reserve_) return;
    int const file =
        ::open(reserve_name_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return;
    reserved_ = ::posix_fallocate(file, 0, static_cast<off_t>(reserve_)) == 0;
    ::close(file);
    if (!reserved_) ::unlink(reserve_name_.c_str());
}

}  // namespace millrace::relay
