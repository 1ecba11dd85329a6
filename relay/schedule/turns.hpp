#pragma once

#include <list>
#include <map>
#include <string>

#include "relay/schedule/stream_queue.hpp"

namespace millrace::relay {

/// Whose turn it is: round robin over the parties, and within a party over its streams. A message
/// counts one, so this is deficit round robin with equal weights; each step is O(log parties).
class Turns {
  public:
    bool empty() const { return ring_.empty(); }
    std::size_t parties() const { return ring_.size(); }

    void enter(StreamQueue& stream) {
        auto const [at, fresh] = parties_.try_emplace(stream.party());
        auto& party = at->second;
        if (fresh) {
            party.place = ring_.insert(ring_.end(), &*at);
        }
        stream.turn = party.streams.insert(party.streams.end(), &stream);
        stream.in_turns = true;
    }
    void leave(StreamQueue& stream) {
        auto const at = parties_.find(stream.party());
        at->second.streams.erase(stream.turn);
        stream.in_turns = false;
        if (at->second.streams.empty()) {
            ring_.erase(at->second.place);
            parties_.erase(at);
        }
    }
    /// The stream whose turn it is; it and its party go to the end. Not empty().
    StreamQueue& next() {
        auto const place = ring_.begin();
        ring_.splice(ring_.end(), ring_, place);
        auto& streams = (*place)->second.streams;
        streams.splice(streams.end(), streams, streams.begin());
        return *streams.back();
    }
    StreamQueue& front() const { return *ring_.front()->second.streams.front(); }

  private:
    struct Party;
    using Parties = std::map<std::string, Party>;
    using Ring = std::list<std::pair<const std::string, Party>*>;
    struct Party {
        std::list<StreamQueue*> streams;
        Ring::iterator place;
    };
    Parties parties_;
    Ring ring_;
};

}  // namespace millrace::relay
