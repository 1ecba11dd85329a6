#include "relay/spool/rocks_stock.hpp"

#include <functional>
#include <optional>

#include <rocksdb/snapshot.h>

namespace millrace::relay {
namespace {

std::string name_of(const WorkKey& key) {
    return key.message.text() + " recipient " + std::to_string(key.index);
}

/// A set of keys as a number that does not depend on their order: two sets with the same sum and
/// the same count are taken for equal.
struct KeySum {
    std::uint64_t count = 0, sum = 0;
    void add(std::string_view key) {
        ++count;
        sum += std::hash<std::string_view>{}(key) * 0x9E3779B97F4A7C15U;
    }
    bool operator==(const KeySum&) const = default;
};

class Count {
  public:
    explicit Count(const RocksStore& store) : store_(store), moment_(&store.db()) {
        options_.snapshot = moment_.snapshot();
        options_.fill_cache = false;
        options_.readahead_size = 2U << 20U;
    }

    Result<Stock> all() {
        auto const ledger = store_.ledger(moment_.snapshot());
        if (!ledger) return std::unexpected(ledger.error());
        stock_.books = ledger->books;
        stock_.queued = ledger->queued;
        if (auto const ok = recipients(); !ok) return std::unexpected(ok.error());
        if (auto const ok = queues(); !ok) return std::unexpected(ok.error());
        stock_.in_order = stock_.works;
        if (places_ != wanted_) {
            if (auto const ok = compare(); !ok) return std::unexpected(ok.error());
        }
        return std::move(stock_);
    }

  private:
    std::unique_ptr<rocksdb::Iterator> walk(Family family) const {
        auto at = store_.iterate(family, options_);
        at->SeekToFirst();
        return at;
    }
    static Result<void> ended(const rocksdb::Iterator& at) {
        if (at.status().ok()) return {};
        return std::unexpected(store_failure(at.status(), "counting"));
    }
    void example(std::string what) {
        if (stock_.example.empty()) stock_.example = std::move(what);
    }

    /// Messages and their recipients, side by side: both are sorted by id.
    Result<void> recipients() {
        auto const message = walk(Family::message);
        auto const work = walk(Family::work);
        std::optional<MessageId> last;  // the message of the recipient before
        auto const id_at = [](const rocksdb::Iterator& at) {
            return parse_message_key(view(at.key()));
        };
        for (; work->Valid(); work->Next()) {
            auto const key = parse_work_key(view(work->key()));
            auto const record = decode_work(key, view(work->value()));
            if (!record) return std::unexpected(record.error());
            ++stock_.works;
            wanted_.add(due_key(record->work));
            if (!record->work.held) wanted_.add(age_key(record->work));
            for (; message->Valid() && id_at(*message) < key.message; message->Next())
                pass(id_at(*message), last);
            if (!message->Valid() || id_at(*message) != key.message) {
                ++stock_.headless;
                example(name_of(key));
            }
            last = key.message;
        }
        for (; message->Valid(); message->Next())
            pass(id_at(*message), last);
        if (auto const ok = ended(*work); !ok) return ok;
        return ended(*message);
    }
    void pass(MessageId id, std::optional<MessageId> last) {
        ++stock_.messages;
        if (id == last) return;
        ++stock_.idle;
        example(id.text());
    }

    Result<void> queues() {
        for (auto const family : {Family::due, Family::age}) {
            auto const at = walk(family);
            for (; at->Valid(); at->Next())
                places_.add(view(at->key()));
            if (auto const ok = ended(*at); !ok) return ok;
        }
        return {};
    }

    /// Something is wrong: one by one.
    Result<void> compare() {
        stock_.in_order = 0;
        std::uint64_t theirs = 0;
        auto const work = walk(Family::work);
        for (; work->Valid(); work->Next()) {
            auto const key = parse_work_key(view(work->key()));
            auto const record = decode_work(key, view(work->value()));
            if (!record) return std::unexpected(record.error());
            auto const due = stands(Family::due, due_key(record->work));
            if (!due) return std::unexpected(due.error());
            auto aged = Result<bool>(true);
            if (!record->work.held) {
                aged = stands(Family::age, age_key(record->work));
                if (!aged) return std::unexpected(aged.error());
                theirs += *aged ? 1 : 0;
            }
            theirs += *due ? 1 : 0;
            if (*due && *aged) {
                ++stock_.in_order;
            } else {
                example(name_of(key));
            }
        }
        stock_.stray = places_.count - theirs;
        return ended(*work);
    }

    Result<bool> stands(Family family, const std::string& key) const {
        rocksdb::PinnableSlice ignored;
        auto const status = store_.db().Get(options_, store_.family(family), key, &ignored);
        if (status.ok()) return true;
        if (status.IsNotFound()) return false;
        return std::unexpected(store_failure(status, "counting"));
    }

    const RocksStore& store_;
    rocksdb::ManagedSnapshot moment_;
    rocksdb::ReadOptions options_ = RocksStore::reading();
    Stock stock_;
    KeySum wanted_, places_;
};

}  // namespace

Result<Stock> take_stock(const RocksStore& store) {
    return Count(store).all();
}

}  // namespace millrace::relay
