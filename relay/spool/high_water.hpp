#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/id.hpp"
#include "common/base/result.hpp"

namespace millrace::relay {

/// How far we have said 250: a small file beside the store, so that a log that recovery cut short
/// is noticed, and no id that was handed out is handed out again.
struct HighWater {
    std::uint64_t sequence = 0;  ///< the store's, of the last acknowledged write
    std::uint64_t last_event = 0;
    MessageId last_id;
};

/// The file. Lags behind by up to a second; never ahead.
/// Thread: one at a time.
class HighWaterFile {
  public:
    explicit HighWaterFile(std::string path) : path_(std::move(path)) {}
    ~HighWaterFile();
    HighWaterFile(const HighWaterFile&) = delete;

    /// Nothing when there is no file or it is unreadable.
    std::optional<HighWater> read();
    /// Durable when it returns. Failure: unavailable.
    Result<void> write(const HighWater& mark);

  private:
    std::string path_;
    int file_ = -1;
};

}  // namespace millrace::relay
