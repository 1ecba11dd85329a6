#pragma once

#include <string>
#include <sys/types.h>

#include "common/base/result.hpp"

namespace millrace::attach {

/// The milter that runs on this machine, found by who listens on its socket. Blocks.
struct MilterDoor {
    pid_t pid = 0;  ///< of the supervisor
    uid_t user = 0;
    gid_t group = 0;
    bool by_systemd = false;  ///< its unit runs it and holds the socket
};

/// path: of the unix socket. Failure (refused): nobody listens there; what to start.
Result<MilterDoor> knock(const std::string& path);

/// Makes the milter listen at `path` (attached.conf says so already) and waits until it answers.
/// drop_in: where systemd's socket unit is told; used only when systemd holds it.
/// Failure: it does not answer there within 10 s.
Result<void> move_milter(const MilterDoor& door,
                         const std::string& path,
                         const std::string& drop_in,
                         const std::string& group);
/// The settings have changed, the socket has not.
Result<void> reload_milter(const MilterDoor& door);
/// Takes the drop-in away again, if there is one; the socket is where the unit says.
Result<void> forget_drop_in(const std::string& drop_in);

/// Whether Postfix's processes reach the socket: connects as `user` from within `queue_directory`,
/// below a chroot or not. Failure (invalid): why not, and what to change.
Result<void> reachable_from(const std::string& user,
                            const std::string& queue_directory,
                            const std::string& path,
                            bool chrooted);

}  // namespace millrace::attach
