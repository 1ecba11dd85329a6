#pragma once

#include "relay/spool/rocks_store.hpp"

namespace millrace::relay {

/// Fills the index of work by age in a spool of a version that had none; nothing where it stands.
/// Once, before anybody writes; a crash in the middle is made good by the next start.
Result<void> index_ages(RocksStore& store);

}  // namespace millrace::relay
