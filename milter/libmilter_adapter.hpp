#pragma once

#include "common/base/result.hpp"
#include "milter/service.hpp"

namespace millrace::milter {

/// Speaks the milter protocol on a listening socket until the process is told to end (libmilter
/// takes SIGTERM, SIGINT and SIGHUP itself). Blocks; libmilter makes the threads. Once per process.
/// The descriptor may be replaced by dup2 meanwhile: running sessions go on.
/// Failure (unavailable): libmilter could not start.
Result<void> run_libmilter(int listener, Service& service);

}  // namespace millrace::milter
