#include "relay/spool/rocks_due.hpp"

#include <algorithm>

#include <rocksdb/snapshot.h>

#include "relay/spool/record_bytes.hpp"
#include "relay/spool/stream.hpp"

namespace millrace::relay {
namespace {

constexpr char waiting = '\0';
constexpr char held = '\1';
constexpr std::size_t tail_size = 8 + 8 + 2;  // due, id, index
constexpr std::size_t heads_kept = 65536;

/// Signed time to a number that sorts the same way.
std::uint64_t sortable(Time t) {
    return static_cast<std::uint64_t>(t.time_since_epoch().count()) ^ (1ULL << 63U);
}

Time from_sortable(std::uint64_t value) {
    return Time(Duration(static_cast<std::int64_t>(value ^ (1ULL << 63U))));
}

std::string place(const std::string& prefix, Time due, const WorkKey& key) {
    auto out = prefix;
    append_be64(out, sortable(due));
    append_be64(out, key.message.value);
    append_be16(out, key.index);
    return out;
}

struct Place {
    std::string_view prefix;
    Time due;
    WorkKey key;
};

Place parse(std::string_view key) {
    auto const tail = key.substr(key.size() - tail_size);
    return {key.substr(0, key.size() - tail_size),
            from_sortable(read_be64(tail.substr(0, 8))),
            parse_work_key(tail.substr(8))};
}

/// No stream's line begins like these: a domain holds no STX.
std::string age_line(bool told) {
    return told ? "\2t" : "\2n";
}

}  // namespace

std::string due_key(const Work& work) {
    return place(stream_name(work) + (work.held ? held : waiting), work.due, work.key);
}

std::string age_key(const Work& work) {
    return place(age_line(work.delay_told), work.born, work.key);
}

std::string encode_born(Time born) {
    std::string out;
    append_be64(out, sortable(born));
    return out;
}

Time decode_born(std::string_view value) {
    return from_sortable(read_be64(value));
}

std::string RocksDue::begin_scan(const std::string& prefix) {
    std::lock_guard const lock(mutex_);
    if (heads_.size() >= heads_kept && !heads_.contains(prefix)) heads_.erase(heads_.begin());
    auto& head = heads_[prefix];
    head.inserted.clear();
    return std::max(head.low, prefix);
}

void RocksDue::end_scan(const std::string& prefix, const std::string& first_seen) {
    std::lock_guard const lock(mutex_);
    auto& head = heads_[prefix];
    auto const limit = head.inserted.empty() ? first_seen : std::min(first_seen, head.inserted);
    head.low = std::max(head.low, limit);
    if (!head.inserted.empty()) head.low = std::min(head.low, head.inserted);
}

void RocksDue::written(const std::vector<std::string>& due_keys) {
    std::lock_guard const lock(mutex_);
    for (auto const& key : due_keys) {
        auto const found = heads_.find(key.substr(0, key.size() - tail_size));
        if (found == heads_.end()) continue;
        auto& head = found->second;
        head.low = std::min(head.low, key);
        if (head.inserted.empty() || key < head.inserted) head.inserted = key;
    }
}

Result<std::vector<Work>> RocksDue::due(const std::string& stream,
                                        Time until,
                                        const DueCursor& after,
                                        unsigned max) {
    return page(Family::due, stream + waiting, until, after, max);
}

Result<std::vector<Work>> RocksDue::aged(bool told,
                                         Time until,
                                         const DueCursor& after,
                                         unsigned max) {
    return page(Family::age, age_line(told), until, after, max);
}

Result<std::vector<Work>> RocksDue::page(Family family,
                                         const std::string& prefix,
                                         Time until,
                                         const DueCursor& after,
                                         unsigned max) {
    auto const cursor = place(prefix, after.due, after.key);
    bool const whole = after.due == Time{} && after.key == WorkKey{};
    auto const low = begin_scan(prefix);
    auto const from = std::max(low, cursor);
    auto end = prefix;
    ++end.back();  // no line ends in the last byte there is

    // Index and records are read as of one moment, so a page is short only at the end of the queue.
    rocksdb::ManagedSnapshot moment(&store_.db());
    auto options = RocksStore::reading();
    options.snapshot = moment.snapshot();
    auto const upper =
        until == never ? end : place(prefix, until, {MessageId{UINT64_MAX}, UINT16_MAX}) + '\0';
    rocksdb::Slice const bound(upper);
    options.iterate_upper_bound = &bound;
    auto const at = store_.iterate(family, options);
    std::vector<WorkKey> keys;
    std::string first_seen;
    for (at->Seek(from); at->Valid() && keys.size() < max; at->Next()) {
        if (first_seen.empty()) first_seen = at->key().ToString();
        if (view(at->key()) == cursor) continue;
        keys.push_back(parse(view(at->key())).key);
    }
    if (!at->status().ok()) {
        return std::unexpected(store_failure(at->status(), "reading a queue"));
    }
    // Only a scan from the head tells where the head is.
    bool const from_head = whole || low >= cursor;
    if (from_head) end_scan(prefix, first_seen.empty() ? upper : first_seen);
    return store_.works(keys, moment.snapshot());
}

Result<std::vector<StreamSummary>> RocksDue::summary() const {
    auto options = RocksStore::reading();
    options.fill_cache = false;
    options.readahead_size = 2U << 20U;
    auto const at = store_.iterate(Family::due, options);
    std::vector<StreamSummary> out;
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        auto const key = view(at->key());
        if (key.size() <= tail_size || at->value().size() != 8) {
            return failure(Fault::corrupt, "an entry of the queue index is malformed");
        }
        auto const place = parse(key);
        auto const name = place.prefix.substr(0, place.prefix.size() - 1);
        if (out.empty() || out.back().stream != name) {
            auto& fresh = out.emplace_back();
            fresh.stream = name;
            fresh.destination = parse_stream(name).destination;
        }
        auto& row = out.back();
        row.oldest = std::min(row.oldest, decode_born(view(at->value())));
        if (place.prefix.back() == held) {
            ++row.held;
        } else {
            ++row.count;
            row.next_due = std::min(row.next_due, place.due);
        }
    }
    if (!at->status().ok()) {
        return std::unexpected(store_failure(at->status(), "reading the queues"));
    }
    return out;
}

}  // namespace millrace::relay
