#include "relay/rehearse/paper_queue.hpp"

namespace millrace::relay {
namespace {

Work blank(const StreamKey& key) {
    Work work;
    work.destination = key.destination;
    work.klass = key.klass;
    work.account = key.account;
    work.sender_domain = key.sender_domain;
    work.slot = key.slot;
    return work;
}

}  // namespace

std::vector<Work> PaperQueue::add(const StreamKey& stream, std::uint64_t count, Time at) {
    auto work = blank(stream);
    work.due = at;
    work.born = at;
    auto& line = lines_.try_emplace(stream_name(work), Line{stream, {}}).first->second;
    std::vector<Work> works;
    works.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        work.key.message = MessageId{next_id_++};
        line.items.emplace_hint(
            line.items.end(), std::pair{at, work.key.message.value}, Item{at, 0, {}});
        works.push_back(work);
    }
    size_ += count;
    return works;
}

std::vector<Work> PaperQueue::due(const std::string& stream,
                                  const DueCursor& after,
                                  unsigned max) const {
    std::vector<Work> works;
    auto const found = lines_.find(stream);
    if (found == lines_.end()) return works;
    auto const& [key, items] = found->second;
    auto work = blank(key);
    for (auto at = items.upper_bound({after.due, after.key.message.value});
         at != items.end() && works.size() < max;
         ++at) {
        work.due = at->first.first;
        work.key.message = MessageId{at->first.second};
        work.born = at->second.born;
        work.attempts = at->second.attempts;
        work.first_tried = at->second.first_tried;
        works.push_back(work);
    }
    return works;
}

void PaperQueue::defer(const Work& before, const Work& after) {
    auto& line = lines_.at(stream_name(before));
    line.items.erase({before.due, before.key.message.value});
    line.items.emplace(std::pair{after.due, after.key.message.value},
                       Item{after.born, after.attempts, after.first_tried});
}

void PaperQueue::finish(const Work& work) {
    auto const found = lines_.find(stream_name(work));
    size_ -= found->second.items.erase({work.due, work.key.message.value});
    if (found->second.items.empty()) lines_.erase(found);
}

std::vector<std::pair<std::string, Time>> PaperQueue::streams() const {
    std::vector<std::pair<std::string, Time>> all;
    all.reserve(lines_.size());
    for (auto const& [name, line] : lines_) {
        all.emplace_back(name, line.items.begin()->first.first);
    }
    return all;
}

}  // namespace millrace::relay
