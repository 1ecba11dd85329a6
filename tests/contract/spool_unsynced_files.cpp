#include "tests/contract/spool_unsynced_files.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace millrace::relay {
namespace {

namespace fs = std::filesystem;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

std::string content(const std::string& name) {
    std::ifstream file(name, std::ios::binary);
    std::stringstream out;
    out << file.rdbuf();
    return out.str();
}

bool is_log(const std::string& name) {
    return name.ends_with(".log");
}

}  // namespace

UnsyncedFiles::UnsyncedFiles() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}

std::unique_lock<std::recursive_mutex> UnsyncedFiles::change() {
    std::unique_lock lock(mutex_);
    if (before_change) before_change();
    return lock;
}

class UnsyncedFiles::File final : public rocksdb::FSWritableFileOwnerWrapper {
  public:
    File(UnsyncedFiles& files, std::string name, std::unique_ptr<rocksdb::FSWritableFile> target)
        : FSWritableFileOwnerWrapper(std::move(target)), files_(files), name_(std::move(name)) {}

    IOStatus Append(const rocksdb::Slice& data,
                    const IOOptions& options,
                    IODebugContext* debug) override {
        auto const lock = files_.change();
        if (auto const torn = tear(data, options, debug); !torn.ok()) return torn;
        return FSWritableFileOwnerWrapper::Append(data, options, debug);
    }
    IOStatus Append(const rocksdb::Slice& data,
                    const IOOptions& options,
                    const rocksdb::DataVerificationInfo& info,
                    IODebugContext* debug) override {
        auto const lock = files_.change();
        if (auto const torn = tear(data, options, debug); !torn.ok()) return torn;
        return FSWritableFileOwnerWrapper::Append(data, options, info, debug);
    }
    IOStatus Sync(const IOOptions& options, IODebugContext*) override { return sync(options); }
    IOStatus Fsync(const IOOptions& options, IODebugContext*) override { return sync(options); }
    /// Only a hint to the kernel: nothing is promised.
    IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
        return IOStatus::OK();
    }

  private:
    IOStatus tear(const rocksdb::Slice& data, const IOOptions& options, IODebugContext* debug) {
        if (files_.faults.short_writes == 0 || !is_log(name_)) return IOStatus::OK();
        --files_.faults.short_writes;
        auto const half = rocksdb::Slice(data.data(), data.size() / 2);
        static_cast<void>(FSWritableFileOwnerWrapper::Append(half, options, debug));
        return IOStatus::IOError("short write");
    }
    IOStatus sync(const IOOptions& options) {
        auto const lock = files_.change();
        auto& known = files_.known_[name_];
        if (known.failed) ++files_.syncs_after_failure;
        if (files_.faults.failing_syncs > 0 && is_log(name_)) {
            --files_.faults.failing_syncs;
            known.failed = true;
            return IOStatus::IOError("input/output error");
        }
        if (!files_.faults.lying_sync) known.synced = GetFileSize(options, nullptr);
        return IOStatus::OK();
    }
    UnsyncedFiles& files_;
    std::string name_;
};

class UnsyncedFiles::Directory final : public rocksdb::FSDirectoryWrapper {
  public:
    Directory(UnsyncedFiles& files, std::string name, std::unique_ptr<rocksdb::FSDirectory> target)
        : FSDirectoryWrapper(std::move(target)), files_(files), name_(std::move(name)) {
        while (name_.ends_with('/'))
            name_.pop_back();
    }
    IOStatus Fsync(const IOOptions&, IODebugContext*) override { return sync(); }
    IOStatus FsyncWithDirOptions(const IOOptions&,
                                 IODebugContext*,
                                 const rocksdb::DirFsyncOptions&) override {
        return sync();
    }

  private:
    IOStatus sync() {
        auto const lock = files_.change();
        if (files_.faults.lying_directory_sync) return IOStatus::OK();
        for (auto& [file, known] : files_.known_) {
            if (fs::path(file).parent_path() != fs::path(name_)) continue;
            known.name_synced = true;
            known.before.reset();
        }
        return IOStatus::OK();
    }
    UnsyncedFiles& files_;
    std::string name_;
};

IOStatus UnsyncedFiles::NewWritableFile(const std::string& name,
                                        const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSWritableFile>* file,
                                        IODebugContext* debug) {
    auto const lock = change();
    auto status = FileSystemWrapper::NewWritableFile(name, options, file, debug);
    if (status.ok()) {
        known_[name] = {};
        *file = std::make_unique<File>(*this, name, std::move(*file));
    }
    return status;
}

IOStatus UnsyncedFiles::NewDirectory(const std::string& name,
                                     const IOOptions& options,
                                     std::unique_ptr<rocksdb::FSDirectory>* directory,
                                     IODebugContext* debug) {
    auto status = FileSystemWrapper::NewDirectory(name, options, directory, debug);
    if (status.ok()) *directory = std::make_unique<Directory>(*this, name, std::move(*directory));
    return status;
}

IOStatus UnsyncedFiles::RenameFile(const std::string& from,
                                   const std::string& to,
                                   const IOOptions& options,
                                   IODebugContext* debug) {
    auto const lock = change();
    std::optional<std::string> before;
    if (fs::exists(to)) before = content(to);
    auto status = FileSystemWrapper::RenameFile(from, to, options, debug);
    if (status.ok()) {
        auto known = known_[from];
        known_.erase(from);
        known.name_synced = false;
        known.before = std::move(before);
        known_[to] = std::move(known);
    }
    return status;
}

IOStatus UnsyncedFiles::DeleteFile(const std::string& name,
                                   const IOOptions& options,
                                   IODebugContext* debug) {
    auto const lock = change();
    auto status = FileSystemWrapper::DeleteFile(name, options, debug);
    if (status.ok()) known_.erase(name);
    return status;
}

void UnsyncedFiles::image(const std::string& from, const std::string& to, Random& random) const {
    fs::create_directories(to);
    for (auto const& entry : fs::directory_iterator(from)) {
        auto const target = fs::path(to) / entry.path().filename();
        auto const known = known_.find(entry.path().string());
        if (known == known_.end()) {
            fs::copy_file(entry.path(), target);
            continue;
        }
        bool const name_kept = known->second.name_synced || random.below(2) == 0;
        if (!name_kept) {
            if (known->second.before)
                std::ofstream(target, std::ios::binary) << *known->second.before;
            continue;
        }
        auto bytes = content(entry.path().string());
        auto const synced = std::min<std::uint64_t>(known->second.synced, bytes.size());
        auto const unsynced = bytes.size() - synced;
        auto const reached = synced + (unsynced > 0 ? random.below(unsynced + 1) : 0);
        // The size may be on disk before the bytes are: a tail of zeros. Not for the MANIFEST: RocksDB takes
        // a record that goes over into zeros there for corruption and refuses to open (nothing is lost, but
        // someone must cut the tail off); relay/spool/README.md says so.
        bool const manifest = entry.path().filename().string().starts_with("MANIFEST");
        if (!manifest && random.below(3) == 0) {
            std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(reached), bytes.end(), '\0');
        } else {
            bytes.resize(reached);
        }
        std::ofstream(target, std::ios::binary) << bytes;
    }
}

}  // namespace millrace::relay
