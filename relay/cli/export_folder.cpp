#include "relay/cli/export_folder.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace millrace::relay {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;

std::unexpected<Failure> trouble(std::string_view what, const std::string& path) {
    return failure(Fault::unavailable, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

std::string staged(const std::string& name) {
    return fmt::format(".{}.{}", name, ::getpid());
}

/// Closed at the end of the scope.
struct File {
    int fd;
    ~File() {
        if (fd >= 0) ::close(fd);
    }
};

bool holds(int folder, const std::string& name, std::string_view bytes) {
    File const file{::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC)};
    char buffer[16384];
    while (file.fd >= 0) {
        auto const got = ::read(file.fd, buffer, sizeof buffer);
        if (got < 0) return false;
        if (got == 0) return bytes.empty();
        auto const size = static_cast<std::size_t>(got);
        if (bytes.substr(0, size) != std::string_view(buffer, size)) return false;
        bytes.remove_prefix(size);
    }
    return false;
}

}  // namespace

Result<ExportFolder> ExportFolder::open(const std::string& path) {
    if (::mkdir(path.c_str(), folder_mode) != 0 && errno != EEXIST) {
        return trouble("cannot make the folder", path);
    }
    int const fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return trouble("cannot open the folder", path);
    }
    ExportFolder folder(path, fd);
    if (::faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        return trouble("cannot write into the folder", path);
    }
    return folder;
}

ExportFolder::ExportFolder(ExportFolder&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      pending_(std::exchange(other.pending_, {})) {}

ExportFolder::~ExportFolder() {
    if (descriptor_ >= 0) {
        drop_staged();
        ::close(descriptor_);
    }
}

void ExportFolder::drop_staged() {
    for (auto const& pending : pending_) {
        ::unlinkat(descriptor_, staged(pending.name).c_str(), 0);
    }
    pending_.clear();
}

Result<ExportFolder::Staged> ExportFolder::stage(const std::string& name,
                                                 std::string_view bytes,
                                                 bool replace) {
    struct stat status = {};
    if (!replace && ::fstatat(descriptor_, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return holds(descriptor_, name, bytes) ? Staged::there : Staged::in_way;
    }
    auto const hidden = staged(name);
    ::unlinkat(descriptor_, hidden.c_str(), 0);  // of a process of the same number that died
    File const file{
        ::openat(descriptor_, hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, file_mode)};
    if (file.fd < 0) {
        return trouble("cannot write", full(name));
    }
    pending_.push_back({name, replace});
    while (!bytes.empty()) {
        auto const n = ::write(file.fd, bytes.data(), bytes.size());
        if (n < 0 && errno != EINTR) {
            return trouble("cannot write", full(name));
        }
        bytes.remove_prefix(n < 0 ? 0 : static_cast<std::size_t>(n));
    }
    return Staged::written;
}

Result<void> ExportFolder::settle() {
    // One flush for all of them; a flush each would take a thousand times as long.
    if (!pending_.empty() && ::syncfs(descriptor_) != 0) {
        return trouble("cannot flush", path_);
    }
    for (auto const& pending : pending_) {
        auto const hidden = staged(pending.name);
        bool const named =
            pending.replace
                ? ::renameat(descriptor_, hidden.c_str(), descriptor_, pending.name.c_str()) == 0
                : ::linkat(descriptor_, hidden.c_str(), descriptor_, pending.name.c_str(), 0) == 0;
        if (!named) {
            return trouble("cannot name", full(pending.name));
        }
        if (!pending.replace) {
            ::unlinkat(descriptor_, hidden.c_str(), 0);
        }
    }
    pending_.clear();
    if (::fsync(descriptor_) != 0) {
        return trouble("cannot flush", path_);
    }
    return {};
}

}  // namespace millrace::relay
