#include "relay/spool/rocks_age.hpp"

#include <rocksdb/write_batch.h>

namespace millrace::relay {
namespace {

constexpr unsigned at_a_time = 4096;
const std::string done_key = "index:age";

Result<void> write(RocksStore& store, rocksdb::WriteBatch& batch) {
    rocksdb::WriteOptions options;
    options.sync = true;
    auto const status = store.db().Write(options, &batch);
    batch.Clear();
    if (!status.ok()) return std::unexpected(store_failure(status, "writing the index by age"));
    return {};
}

}  // namespace

Result<void> index_ages(RocksStore& store) {
    auto const done = store.get(Family::ledger, done_key, "index by age");
    if (done) return {};
    if (done.error().fault != Fault::not_found) return std::unexpected(done.error());
    rocksdb::WriteBatch batch;
    auto const at = store.iterate(Family::work, RocksStore::reading());
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        auto const record = decode_work(parse_work_key(at->key().ToStringView()),
                                        at->value().ToStringView());
        if (!record) return std::unexpected(record.error());
        if (record->work.held) continue;
        auto const key = age_key(record->work);
        // A key that is put twice could not be removed again by one SingleDelete.
        auto const there = store.get(Family::age, key, "entry");
        if (there) continue;
        if (there.error().fault != Fault::not_found) return std::unexpected(there.error());
        batch.Put(store.family(Family::age), key, {});
        if (batch.Count() < at_a_time) continue;
        if (auto const ok = write(store, batch); !ok) return ok;
    }
    if (!at->status().ok()) return std::unexpected(store_failure(at->status(), "reading the queue"));
    batch.Put(store.family(Family::ledger), done_key, "1");
    return write(store, batch);
}

}  // namespace millrace::relay
