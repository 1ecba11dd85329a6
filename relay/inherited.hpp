#pragma once

#include <vector>

namespace millrace::relay {

/// The listening sockets that systemd (or whoever started us) passed on: descriptors 3, 4, … by
/// LISTEN_FDS and LISTEN_PID. Takes the variables out of the environment. Empty when there are none
/// for this process.
std::vector<int> inherited_sockets();

/// Tells the service manager `READY=1`, `STOPPING=1`, `RELOADING=1` through NOTIFY_SOCKET; nothing
/// happens without one.
void notify_manager(const char* state);

}  // namespace millrace::relay
