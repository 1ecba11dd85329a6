#include "relay/spool/memory_disk.hpp"

#include "relay/spool/stream.hpp"

#include <algorithm>

#include "common/base/planted.hpp"

namespace millrace::relay {

void MemoryState::set_work(const WorkKey& key, const std::shared_ptr<const Work>& work) {
    if (auto const old = works.find(key); old != works.end()) {
        if (auto const queue = due.find(stream_name(*old->second)); queue != due.end()) {
            queue->second.erase({old->second->due, key});
            if (queue->second.empty()) due.erase(queue);
        }
        age[old->second->delay_told ? 1 : 0].erase({old->second->born, key});
        works.erase(old);
    }
    if (work) {
        works.emplace(key, work);
        if (work->held) return;
        due[stream_name(*work)].emplace(work->due, key);
        age[work->delay_told ? 1 : 0].emplace(work->born, key);
    }
}

void MemoryState::set_body(MessageId id, const KeptBody& body) {
    if (auto const old = bodies.find(id); old != bodies.end()) {
        body_bytes -= old->second.bytes->size();
        bodies.erase(old);
    }
    if (body.bytes) {
        body_bytes += body.bytes->size();
        bodies.emplace(id, body);
    }
}

void MemoryState::trim(std::uint64_t up_to) {
    while (!events.empty() && events.begin()->first <= up_to) {
        auto const chapter = story.find(events.begin()->second->message);
        std::erase(chapter->second, events.begin()->first);
        if (chapter->second.empty()) story.erase(chapter);
        events.erase(events.begin());
    }
}

void MemoryState::apply(const MemoryDelta& delta) {
    for (auto const& [id, envelope] : delta.envelopes) {
        if (envelope) {
            envelopes.insert_or_assign(id, envelope);
            last_id = std::max(last_id, id);
        } else {
            envelopes.erase(id);
        }
    }
    for (auto const& [id, body] : delta.bodies)
        set_body(id, body);
    for (auto const& [key, work] : delta.works)
        set_work(key, work);
    for (auto const& event : delta.events) {
        events.emplace(event->id, event);
        story[event->message].push_back(event->id);
        last_event = std::max(last_event, event->id);
        if (!event->late) books.enter(event->kind);
    }
    for (auto const& [name, value] : delta.notes) {
        if (value) {
            notes.insert_or_assign(name, *value);
        } else {
            notes.erase(name);
        }
    }
    trim(delta.trim_to);
}

unsigned MemoryState::left(MessageId id) const {
    auto const first = works.lower_bound(WorkKey{id, 0});
    auto const last = works.upper_bound(WorkKey{id, UINT16_MAX});
    return static_cast<unsigned>(std::distance(first, last));
}

Stock MemoryState::stock() const {
    Stock out;
    out.books = books;
    out.queued = out.works = works.size();
    std::size_t places = age[0].size() + age[1].size();
    for (auto const& [stream, queue] : due)
        places += queue.size();
    std::set<MessageId> alive;
    std::size_t placed = 0;
    for (auto const& [key, work] : works) {
        alive.insert(key.message);
        if (!envelopes.contains(key.message)) ++out.headless;
        if (work->held) {
            ++out.in_order;
            continue;
        }
        auto const queue = due.find(stream_name(*work));
        bool const queued = queue != due.end() && queue->second.contains({work->due, key});
        bool const aged = age[work->delay_told ? 1 : 0].contains({work->born, key});
        placed += (queued ? 1U : 0U) + (aged ? 1U : 0U);
        out.in_order += queued && aged ? 1 : 0;
    }
    out.stray = places - placed;
    out.messages = envelopes.size();
    for (auto const& [id, envelope] : envelopes)
        out.idle += alive.contains(id) ? 0 : 1;
    return out;
}

void MemoryDisk::write(MemoryDelta delta, bool synced, bool readable) {
    log_.push_back({std::move(delta), synced, readable});
    if (synced) sync();
    constexpr std::size_t kept = 64;  // enough for the bugs of recovery to have something to lose
    while (log_.size() > kept && log_.front().synced && log_.front().readable) {
        base_.apply(log_.front().delta);
        log_.pop_front();
    }
}

void MemoryDisk::sync() {
    for (auto& entry : log_)
        entry.synced = true;
}

void MemoryDisk::crash(const std::function<std::size_t(std::size_t)>& keep) {
    if (die_) std::exchange(die_, nullptr)(keep);
    ++incarnation_;
    std::erase_if(log_, [](const Entry& entry) { return !entry.synced; });
}

bool MemoryDisk::rot(MessageId id) {
    auto const turn = [&](KeptBody& body) {
        std::string bytes = *body.bytes;
        if (bytes.empty()) return false;
        auto& middle = bytes[bytes.size() / 2];
        middle = static_cast<char>(static_cast<unsigned char>(middle) ^ 0x10U);
        body.bytes = std::make_shared<const std::string>(std::move(bytes));
        return true;
    };
    for (auto& entry : log_) {
        for (auto& [stored, body] : entry.delta.bodies) {
            if (stored == id && body.bytes) return turn(body);
        }
    }
    auto const stored = base_.bodies.find(id);
    return stored != base_.bodies.end() && turn(stored->second);
}

bool MemoryDisk::damage(std::size_t nth_last) {
    if (nth_last >= log_.size()) return false;
    log_[log_.size() - 1 - nth_last].readable = false;
    return true;
}

MemoryState MemoryDisk::durable() const {
    auto state = base_;
    for (auto const& entry : log_) {
        if (!entry.synced) continue;
        if (!entry.readable) break;
        state.apply(entry.delta);
    }
    return state;
}

MemoryDisk::Recovered MemoryDisk::recover() {
    Recovered out;
    auto const bad = std::ranges::find(log_, false, &Entry::readable);
    out.lost = static_cast<std::size_t>(log_.end() - bad);
    log_.erase(bad, log_.end());
    if (planted("recovery-drops-last") && !log_.empty()) log_.pop_back();
    if (planted("recovery-stops-silently")) log_.resize(log_.size() / 2);
    for (auto const& entry : log_)
        base_.apply(entry.delta);
    log_.clear();
    out.state = base_;
    return out;
}

}  // namespace millrace::relay
