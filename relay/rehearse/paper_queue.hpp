#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "relay/spool/stream.hpp"

namespace millrace::relay {

/// The queue of a rehearsal: what the spool would hold, without messages. Works of each stream in
/// order of due time, as Spool::due() hands them out. A message has one recipient.
class PaperQueue {
  public:
    /// New works, due at once; they are queued when this returns.
    std::vector<Work> add(const StreamKey& stream, std::uint64_t count, Time at);
    /// As Spool::due(), due or not.
    std::vector<Work> due(const std::string& stream, const DueCursor& after, unsigned max) const;
    /// It waits until work.due now.
    void defer(const Work& before, const Work& after);
    void finish(const Work& work);

    /// Streams with work, and when the first of it is due.
    std::vector<std::pair<std::string, Time>> streams() const;
    std::uint64_t size() const { return size_; }

  private:
    struct Item {
        Time born;
        std::uint16_t attempts;
        Time first_tried;
    };
    struct Line {
        StreamKey key;
        std::map<std::pair<Time, std::uint64_t>, Item> items;  ///< by due time and message
    };
    std::map<std::string, Line> lines_;
    std::uint64_t next_id_ = 1;
    std::uint64_t size_ = 0;
};

}  // namespace millrace::relay
