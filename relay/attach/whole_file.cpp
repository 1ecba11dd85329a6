#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/attach/record.hpp"

namespace millrace::attach {
namespace {

constexpr std::size_t file_size_max = std::size_t{16} << 20;

std::unexpected<Failure> trouble(const std::string& what, const std::string& path) {
    auto const reason = errno;
    return failure(reason == EACCES || reason == EPERM ? Fault::invalid : Fault::unavailable,
                   fmt::format("{} {}: {}{}",
                               what,
                               path,
                               std::strerror(reason),
                               reason == EACCES ? "; as root: sudo millrace …" : ""));
}

bool write_all(int file, const std::string& bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
        auto const n = ::write(file, bytes.data() + done, bytes.size() - done);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        done += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    return true;
}

bool sync_folder(const std::string& path) {
    auto const folder = std::filesystem::path(path).parent_path().string();
    int const descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    bool const synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced;
}

/// Where a symbolic link points, word for word; empty for anything else.
std::string link_of(const std::string& path) {
    std::error_code error;
    auto const target = std::filesystem::read_symlink(path, error);
    return error ? std::string() : target.string();
}

/// The file that a saved path stands for: itself, or what its link pointed to.
std::string file_of(const Saved& saved) {
    if (saved.link.empty()) {
        return saved.path;
    }
    auto const target = std::filesystem::path(saved.path).parent_path() / saved.link;
    std::error_code error;
    auto const file = std::filesystem::canonical(target, error);  // through further links
    return error ? target.string() : file.string();
}

/// Bytes, mode and owner of the file; the link is another matter.
bool holds(const Saved& saved, const std::string& bytes) {
    struct stat status {};
    auto const file = file_of(saved);
    if (::lstat(file.c_str(), &status) != 0 || (saved.link.empty() && !S_ISREG(status.st_mode)) ||
        ::stat(file.c_str(), &status) != 0) {
        return false;
    }
    auto const now = read_whole(file);
    return now && *now == bytes && (status.st_mode & 07777) == saved.mode &&
           status.st_uid == saved.owner && status.st_gid == saved.group;
}

Result<void> relink(const Saved& saved) {
    auto const fresh = saved.path + ".millrace-new";
    ::unlink(fresh.c_str());
    if (::symlink(saved.link.c_str(), fresh.c_str()) != 0 ||
        ::rename(fresh.c_str(), saved.path.c_str()) != 0) {
        return trouble("cannot link", saved.path);
    }
    return sync_folder(saved.path) ? Result<void>()
                                   : trouble("cannot sync the folder of", saved.path);
}

}  // namespace

Result<void> write_whole(
    const std::string& path, const std::string& bytes, mode_t mode, uid_t owner, gid_t group) {
    auto const fresh = path + ".millrace-new";
    ::unlink(fresh.c_str());
    int const file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        return trouble("cannot write", fresh);
    }
    bool const good = write_all(file, bytes) && ::fchown(file, owner, group) == 0 &&
                      ::fchmod(file, mode) == 0 && ::fsync(file) == 0;
    auto const reason = errno;
    ::close(file);
    if (!good || ::rename(fresh.c_str(), path.c_str()) != 0) {
        errno = good ? errno : reason;
        auto failed = trouble("cannot write", path);
        ::unlink(fresh.c_str());
        return failed;
    }
    if (!sync_folder(path)) {
        return trouble("cannot sync the folder of", path);
    }
    return {};
}

Result<std::string> read_whole(const std::string& path) {
    int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return trouble("cannot read", path);
    }
    std::string bytes;
    char buffer[65536];
    ssize_t n = 0;
    while ((n = ::read(file, buffer, sizeof buffer)) > 0 && bytes.size() < file_size_max) {
        bytes.append(buffer, static_cast<std::size_t>(n));
    }
    auto const reason = errno;
    ::close(file);
    if (n < 0) {
        errno = reason;
        return trouble("cannot read", path);
    }
    if (n > 0) {
        return failure(Fault::invalid, fmt::format("{} is larger than 16 MiB", path));
    }
    return bytes;
}

Result<Saved> save(const std::string& folder, const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return trouble("cannot read", path);
    }
    auto const bytes = read_whole(path);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    Saved const saved{path,
                      std::filesystem::path(path).filename(),
                      status.st_mode & 07777,
                      status.st_uid,
                      status.st_gid,
                      link_of(path)};
    // The copy is nobody's business: a configuration may hold a password.
    if (auto done = write_whole(
            folder + "/" + saved.name + ".before", *bytes, 0600, ::geteuid(), ::getegid());
        !done) {
        return std::unexpected(done.error());
    }
    return saved;
}

Result<void> note_after(const std::string& folder, const Saved& saved) {
    auto const bytes = read_whole(saved.path);
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    return write_whole(
        folder + "/" + saved.name + ".after", *bytes, 0600, ::geteuid(), ::getegid());
}

bool untouched(const std::string& folder, const Saved& saved) {
    auto const now = read_whole(saved.path);
    auto const then = read_whole(folder + "/" + saved.name + ".after");
    return now && then && *now == *then;
}

bool as_before(const std::string& folder, const Saved& saved) {
    auto const bytes = read_whole(folder + "/" + saved.name + ".before");
    return bytes && holds(saved, *bytes) && link_of(saved.path) == saved.link;
}

Result<void> restore(const std::string& folder, const Saved& saved) {
    auto const bytes = read_whole(folder + "/" + saved.name + ".before");
    if (!bytes) {
        return std::unexpected(bytes.error());
    }
    if (!holds(saved, *bytes)) {
        if (auto done = write_whole(file_of(saved), *bytes, saved.mode, saved.owner, saved.group);
            !done) {
            return done;
        }
    }
    return link_of(saved.path) == saved.link ? Result<void>() : relink(saved);
}

}  // namespace millrace::attach
