#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "common/base/result.hpp"
#include "relay/attach/site.hpp"

namespace millrace::attach {

/// A Sendmail daemon, as its pid file tells: the process, and the command that started it. Blocks.
struct SendmailDaemon {
    pid_t pid = 0;  ///< 0: none runs
    std::vector<std::string> command;

    /// The file after -C, which may stand in the same word; empty: there is none.
    std::string configuration() const;
};

SendmailDaemon find_daemon(const std::string& pid_file);

/// SIGHUP: it starts itself anew, writes its pid file again and greets at `where`.
/// Failure: none runs, or it does not answer within 30 s.
Result<void> restart_daemon(const std::string& pid_file, const Address& where);

}  // namespace millrace::attach
