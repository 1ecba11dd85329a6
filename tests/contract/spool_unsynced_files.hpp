#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include <rocksdb/file_system.h>

#include "common/net/random.hpp"

namespace millrace::relay {

/// The machine's files, with a memory of what was never synced: the bytes of a file behind its last
/// sync, the name of a new file and the old content of a renamed one before the directory's sync.
/// image() lays down what a power cut at this moment would leave.
/// Thread: any.
class UnsyncedFiles final : public rocksdb::FileSystemWrapper {
  public:
    struct Faults {
        bool lying_sync = false;            ///< a sync of a file reports success and keeps nothing
        bool lying_directory_sync = false;  ///< the same for names
        unsigned failing_syncs = 0;         ///< that many syncs of logs report EIO
        unsigned short_writes = 0;          ///< that many appends to logs store half and say EIO
    };

    UnsyncedFiles();
    const char* Name() const override { return "UnsyncedFiles"; }

    /// Called, with everything held still, before each change of a file or name.
    std::function<void()> before_change;
    Faults faults;
    unsigned syncs_after_failure = 0;  ///< syncs of a log after one of its syncs failed

    /// From before_change only. What survives of unsynced bytes and names is chance.
    void image(const std::string& from, const std::string& to, Random& random) const;

    rocksdb::IOStatus NewWritableFile(const std::string& name,
                                      const rocksdb::FileOptions& options,
                                      std::unique_ptr<rocksdb::FSWritableFile>* file,
                                      rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus NewDirectory(const std::string& name,
                                   const rocksdb::IOOptions& options,
                                   std::unique_ptr<rocksdb::FSDirectory>* directory,
                                   rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus RenameFile(const std::string& from,
                                 const std::string& to,
                                 const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override;
    rocksdb::IOStatus DeleteFile(const std::string& name,
                                 const rocksdb::IOOptions& options,
                                 rocksdb::IODebugContext* debug) override;

  private:
    class File;
    class Directory;
    struct Known {
        std::uint64_t synced = 0;
        bool name_synced = false;
        bool failed = false;                ///< one of its syncs has failed
        std::optional<std::string> before;  ///< content under this name before a rename
    };
    std::unique_lock<std::recursive_mutex> change();

    mutable std::recursive_mutex mutex_;
    std::map<std::string, Known> known_;
};

}  // namespace millrace::relay
