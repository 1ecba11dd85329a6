#pragma once

#include "common/config/program.hpp"

namespace millrace::relay {

/// The relay as a process: real clock, network, resolver, spool; control socket, HTTP, signals.
/// Returns the exit code: 0 after SIGTERM or SIGINT, 75 when something is missing that may come
/// back (the spool is in use, a port is taken), 78 for the configuration. Everything that goes
/// wrong is said on stderr.
int run_daemon(const config::Program& program);

}  // namespace millrace::relay
