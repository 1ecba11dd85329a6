#pragma once

#include "relay/spool/books.hpp"
#include "relay/spool/rocks_store.hpp"

namespace millrace::relay {

/// Counts everything as of one moment: walks over messages, recipients and queues, in constant
/// memory; a few seconds for each million of recipients. Failure: corrupt, with the record.
/// Thread: any.
Result<Stock> take_stock(const RocksStore& store);

}  // namespace millrace::relay
