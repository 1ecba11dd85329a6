#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace millrace::relay {

/// A folder into which files are put several at a time: each is there whole or not at all, and none
/// ever takes the place of another. Files are 0600, a folder that is made is 0700.
class ExportFolder {
  public:
    /// Makes the folder when it is missing (not its parents).
    /// Failure: unavailable; which path, and why.
    static Result<ExportFolder> open(const std::string& path);
    ExportFolder(ExportFolder&& other) noexcept;
    ExportFolder& operator=(ExportFolder&&) = delete;
    /// What was staged and never settled goes.
    ~ExportFolder();

    enum class Staged {
        written,
        there,   ///< a file of that name with the same bytes is there already
        in_way,  ///< a file of that name with other bytes is there, and stays
    };
    /// Writes it under another name. replace: a file of that name that this object put there may
    /// be replaced.
    Result<Staged> stage(const std::string& name, std::string_view bytes, bool replace = false);
    /// Gives what was staged its names. When it returns, a power cut loses nothing of it.
    Result<void> settle();

    const std::string& path() const { return path_; }

  private:
    ExportFolder(std::string path, int descriptor)
        : path_(std::move(path)), descriptor_(descriptor) {}
    std::string full(const std::string& name) const { return path_ + "/" + name; }
    void drop_staged();

    struct Pending {
        std::string name;
        bool replace;
    };
    std::string path_;
    int descriptor_;
    std::vector<Pending> pending_;
};

}  // namespace millrace::relay
