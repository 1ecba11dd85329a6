#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::smtp {

/// A message as it goes out after 354 (RFC 5321 §4.5.2): dots at the start of lines doubled, CRLF
/// `.` CRLF at the end, no extra line end before the dot. A CR or LF that stands alone goes out as
/// CRLF, whatever the message holds: the next server cannot see an end of data that is not ours.
class DataWriter {
  public:
    /// The message must outlive the writer.
    explicit DataWriter(std::string_view message) : rest_(message) {}

    /// Replaces `piece` by the next bytes, at least one and at most about `target`. False when
    /// everything, the final dot included, has been handed out.
    bool next(std::string& piece, std::size_t target);
    /// Whether the piece handed out last holds the final dot.
    bool finished() const { return finished_; }

  private:
    std::string_view rest_;
    bool line_start_ = true;
    bool finished_ = false;
};

/// Whether every CR is followed by LF, every LF follows a CR, and no byte is zero.
bool has_clean_lines(std::string_view message);

}  // namespace millrace::smtp
