#include "relay/spool/rocks_options.hpp"

#include <algorithm>

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include "relay/spool/rocks_store.hpp"

namespace millrace::relay {
namespace {

constexpr std::uint64_t mebibyte = 1U << 20U;

/// One write buffer of bodies: mail that is delivered before its buffer is full is never written a
/// second time. Everything else is a multiple of it.
std::uint64_t body_buffer(std::uint64_t disk_size) {
    return std::clamp<std::uint64_t>(disk_size / 32, 4 * mebibyte, 64 * mebibyte);
}

}  // namespace

rocksdb::DBOptions store_options(std::uint64_t disk_size) {
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;

    // What makes a synced write stay (reliability of the log).
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.track_and_verify_wals_in_manifest = true;
    options.wal_bytes_per_sync = 0;
    options.manual_wal_flush = false;
    options.unordered_write = false;
    options.two_write_queues = false;
    options.enable_pipelined_write = false;
    options.best_efforts_recovery = false;
    options.recycle_log_file_num = 0;
    options.max_bgerror_resume_count = 0;
    options.paranoid_checks = true;
    options.flush_verify_memtable_count = true;

    auto const buffer = body_buffer(disk_size);
    options.max_total_wal_size = 4 * buffer;
    options.db_write_buffer_size = 3 * buffer;
    options.max_open_files = 256;
    options.max_background_jobs = 2;
    options.bytes_per_sync = mebibyte;
    options.stats_dump_period_sec = 0;
    options.stats_persist_period_sec = 0;
    options.keep_log_file_num = 3;
    options.max_log_file_size = 2 * mebibyte;
    options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    options.avoid_unnecessary_blocking_io = true;
    return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> family_options(std::uint64_t disk_size) {
    auto const buffer = body_buffer(disk_size);

    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(64 * mebibyte);
    table.cache_index_and_filter_blocks = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.format_version = 5;

    rocksdb::ColumnFamilyOptions base;
    base.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    base.write_buffer_size = std::max<std::uint64_t>(buffer / 4, 2 * mebibyte);
    base.max_write_buffer_number = 3;
    base.target_file_size_base = std::max<std::uint64_t>(buffer, 8 * mebibyte);
    base.max_bytes_for_level_base = 4 * base.target_file_size_base;
    base.compression = rocksdb::kLZ4Compression;
    // A queue deletes at its head: files that are mostly tombstones are compacted away at once.
    base.table_properties_collector_factories.push_back(
        rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048));

    auto bodies = base;
    bodies.write_buffer_size = buffer;
    bodies.compression = rocksdb::kNoCompression;
    // Larger bodies are moved aside once and not again at every compaction.
    bodies.enable_blob_files = true;
    bodies.min_blob_size = 4096;
    bodies.blob_file_size = 4 * buffer;
    bodies.enable_blob_garbage_collection = true;
    bodies.blob_garbage_collection_age_cutoff = 0.5;
    bodies.blob_garbage_collection_force_threshold = 0.5;

    return {{rocksdb::kDefaultColumnFamilyName, base},
            {"message", base},
            {"body", bodies},
            {"work", base},
            {"left", base},
            {"due", base},
            {"age", base},
            {"event", base},
            {"story", base}};
}

}  // namespace millrace::relay
