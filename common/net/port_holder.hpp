#pragma once

#include <cstdint>
#include <string>

namespace millrace {

/// Which process listens on a TCP port of this machine, as `postfix master (pid 812)`; empty when
/// /proc does not tell (another user's process, another name space).
std::string port_holder(std::uint16_t port);

}  // namespace millrace
