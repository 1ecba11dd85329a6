#pragma once

#include <map>
#include <mutex>
#include <string>

#include "relay/spool/rocks_store.hpp"

namespace millrace::relay {

/// The heads of the streams, and of the two lines by age. A queue deletes at its head, and a seek from the front
/// walks over every tombstone (143 ms after a million); so for each stream in use the first
/// place where work can be is remembered.
/// Thread: due() one at a time; written() any.
class RocksDue {
  public:
    explicit RocksDue(const RocksStore& store) : store_(store) {}

    Result<std::vector<Work>> due(const std::string& stream,
                                  Time until,
                                  const DueCursor& after,
                                  unsigned max);
    /// Work that is not held, by birth.
    Result<std::vector<Work>> aged(bool told, Time until, const DueCursor& after, unsigned max);
    /// After a write that put these keys, and before anybody hears of it.
    void written(const std::vector<std::string>& due_keys);

    /// All streams; reads the whole index.
    Result<std::vector<StreamSummary>> summary() const;

  private:
    struct Head {
        std::string low;       ///< no work stands before it
        std::string inserted;  ///< least key written since the scan that is under way began
    };
    /// A page of one line of keys: those that begin with `prefix`.
    Result<std::vector<Work>> page(Family family,
                                   const std::string& prefix,
                                   Time until,
                                   const DueCursor& after,
                                   unsigned max);
    std::string begin_scan(const std::string& prefix);
    void end_scan(const std::string& prefix, const std::string& first_seen);

    const RocksStore& store_;
    std::mutex mutex_;
    std::map<std::string, Head> heads_;
};

}  // namespace millrace::relay
