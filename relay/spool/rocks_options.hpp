#pragma once

#include <cstdint>
#include <vector>

#include <rocksdb/db.h>
#include <rocksdb/options.h>

namespace millrace::relay {

/// The options of the store; README.md here has the reason for each. disk_size: bytes of the
/// filesystem; buffers and preallocated logs stay a small part of it.
rocksdb::DBOptions store_options(std::uint64_t disk_size);

/// One per Family, in its order.
std::vector<rocksdb::ColumnFamilyDescriptor> family_options(std::uint64_t disk_size);

}  // namespace millrace::relay
