#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/result.hpp"

namespace millrace::attach {

/// Makes the key that milter and relay share, unless the file is there already: random bytes of the
/// system, readable by root and the daemons' group. Durable.
Result<void> make_handover_key(const std::string& file, gid_t group);

}  // namespace millrace::attach
