#include "relay/spool/spool_directory.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <utility>

namespace millrace::relay {
namespace {

namespace fs = std::filesystem;

std::string user_name(uid_t id) {
    auto const* const entry = ::getpwuid(id);
    return entry != nullptr ? std::string(entry->pw_name) : "user " + std::to_string(id);
}

std::unexpected<Failure> wrong(const std::string& path,
                               const std::string& what,
                               const std::string& next) {
    return failure(Fault::unavailable, "spool directory " + path + " " + what + "; " + next);
}

Result<void> inspect(const std::string& path, Log& log) {
    auto const me = user_name(::geteuid());
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) {
            return wrong(
                path, "does not exist", "create it: install -d -m 0700 -o " + me + " " + path);
        }
        return wrong(path,
                     std::string("cannot be read: ") + std::strerror(errno),
                     "make it and its parents accessible to " + me);
    }
    if (!S_ISDIR(info.st_mode)) {
        return wrong(path, "is not a directory", "name another one in relay.spool.directory");
    }
    if (info.st_uid != ::geteuid()) {
        auto const owner = user_name(info.st_uid);
        return wrong(path,
                     "belongs to " + owner + " and this process runs as " + me,
                     "run it as " + owner + ", or: chown -R " + me + " " + path);
    }
    if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        return wrong(path, "can be written by other users", "close it: chmod 0700 " + path);
    }
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        return wrong(path,
                     std::string("is not writable: ") + std::strerror(errno),
                     "check the mount (read-only?) and: chmod 0700 " + path);
    }
    // 0710 is the packages' mode: the group reaches control.sock and sees nothing.
    if ((info.st_mode & (S_IRGRP | S_IRWXO)) != 0) {
        log.warning("spool.readable", {{"directory", path}, {"next", "chmod 0700 " + path}});
    }
    return {};
}

std::string read_pid(int file) {
    char text[32] = {};
    auto const size = ::pread(file, text, sizeof text - 1, 0);
    std::string pid(text, size > 0 ? static_cast<std::size_t>(size) : 0);
    pid.erase(pid.find_last_not_of(" \n") + 1);
    return pid;
}

}  // namespace

Result<SpoolDirectory> SpoolDirectory::open(const std::string& path, Log& log) {
    if (auto const ok = inspect(path, log); !ok) return std::unexpected(ok.error());
    auto const name = path + "/spool.lock";
    int const lock = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock < 0) {
        return wrong(path,
                     "cannot be written: " + std::string(std::strerror(errno)),
                     "check the mount (read-only, full?) and the owner of " + name);
    }
    SpoolDirectory directory(path, lock);
    if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
        auto const pid = read_pid(lock);
        return wrong(path,
                     "is in use by process " + (pid.empty() ? "(unknown)" : pid),
                     "stop that one first, or give this one a directory of its own");
    }
    auto const pid = std::to_string(::getpid()) + "\n";
    if (::ftruncate(lock, 0) != 0 ||
        ::pwrite(lock, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
        // A full disk must not keep us from delivering: the lock holds, only its label is missing.
        log.warning("spool.lock_unlabelled", {{"why", std::strerror(errno)}});
    }
    std::error_code error;
    fs::create_directory(directory.store(), error);
    if (error) {
        return wrong(path,
                     "cannot hold the store: " + error.message(),
                     "free some space or check the mount");
    }
    fs::permissions(directory.store(), fs::perms::owner_all, error);
    return directory;
}

SpoolDirectory::SpoolDirectory(SpoolDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

SpoolDirectory::~SpoolDirectory() {
    if (lock_ >= 0) ::close(lock_);
}

std::uint64_t SpoolDirectory::disk_size() const {
    struct statvfs info{};
    if (::statvfs(path_.c_str(), &info) != 0) return UINT64_MAX;
    return static_cast<std::uint64_t>(info.f_blocks) * info.f_frsize;
}

Result<void> SpoolDirectory::keep_logs() const {
    std::error_code error;
    auto const aside = path_ + "/replay";
    fs::remove_all(aside, error);
    for (auto const& entry : fs::directory_iterator(store(), error)) {
        if (entry.path().extension() != ".log") continue;
        fs::create_directory(aside, error);
        fs::create_hard_link(entry.path(), aside / entry.path().filename(), error);
        if (error) break;
    }
    if (error) {
        return wrong(path_,
                     "cannot keep a copy of its log: " + error.message(),
                     "check the mount and free some space");
    }
    return {};
}

void SpoolDirectory::drop_logs() const {
    std::error_code ignored;  // a left-over name costs space until the next start, no more
    fs::remove_all(path_ + "/replay", ignored);
}

std::string SpoolDirectory::set_logs_aside(std::int64_t unix_time) const {
    auto const target = path_ + "/damaged-" + std::to_string(unix_time);
    std::error_code error;
    fs::rename(path_ + "/replay", target, error);
    return error ? path_ + "/replay" : target;
}

}  // namespace millrace::relay
