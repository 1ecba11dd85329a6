#pragma once

#include <string>

#include "relay/attach/attachment.hpp"
#include "relay/cli/command.hpp"

namespace millrace::relay {

/// The settings as they are in force, for attach and detach. Failure (corrupt).
Result<config::Snapshot> settings_for(const Session& session);
/// The relay as attach asks it, over the control socket.
attach::RelayDoor relay_door(const Session& session);

/// The plan as people read it.
std::string view_plan(const attach::Plan& plan, const Style& style);

int attach_postfix(const Session& session, const Arguments& arguments);
int attach_sendmail(const Session& session, const Arguments& arguments);
int attach_report(const Session& session, const Arguments& arguments);
int attach_enforce(const Session& session, const Arguments& arguments);
int attach_status(const Session& session, const Arguments& arguments);

}  // namespace millrace::relay
