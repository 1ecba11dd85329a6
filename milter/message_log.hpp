#pragma once

#include <mutex>
#include <string>

#include "common/base/log.hpp"
#include "common/base/time.hpp"
#include "milter/session.hpp"

namespace millrace::milter {

/// One line per message: to the log, and as a JSON object to a file when one is configured.
/// Thread: any.
class MessageLog {
  public:
    explicit MessageLog(Log& log);
    MessageLog(const MessageLog&) = delete;
    MessageLog& operator=(const MessageLog&) = delete;
    ~MessageLog();

    /// Appends to this file from now on (again, after it was rotated); empty: to none. A file that
    /// cannot be opened is said in the log and stops no mail.
    void open(const std::string& file);
    void write(const Report& report, Time at, Duration took);

  private:
    Log& log_;
    std::mutex mutex_;
    int file_ = -1;
};

/// The object MessageLog writes, with its line end.
std::string to_json_line(const Report& report, Time at, Duration took);

}  // namespace millrace::milter
