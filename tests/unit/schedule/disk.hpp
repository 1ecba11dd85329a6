#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "relay/schedule/scheduler.hpp"

namespace millrace::relay {

/// What a spool would hold, for tests of the scheduler alone: works by stream and due time.
class Disk {
  public:
    void put(const Work& work) {
        erase(work.key);
        by_key_[work.key] = work;
        index_[stream_name(work)].insert({work.due, work.key});
    }
    void erase(const WorkKey& key) {
        auto const at = by_key_.find(key);
        if (at == by_key_.end()) {
            return;
        }
        auto const line = index_.find(stream_name(at->second));
        line->second.erase({at->second.due, key});
        if (line->second.empty()) index_.erase(line);
        by_key_.erase(at);
    }
    std::vector<Work> due(const std::string& stream, DueCursor after, unsigned max) const {
        std::vector<Work> out;
        auto const found = index_.find(stream);
        if (found == index_.end()) {
            return out;
        }
        auto at = found->second.upper_bound({after.due, after.key});
        for (; at != found->second.end() && out.size() < max; ++at) {
            out.push_back(by_key_.at(at->second));
        }
        return out;
    }
    std::size_t size() const { return by_key_.size(); }
    const std::map<WorkKey, Work>& all() const { return by_key_; }

  private:
    std::map<WorkKey, Work> by_key_;
    std::map<std::string, std::set<std::pair<Time, WorkKey>>> index_;
};

}  // namespace millrace::relay
