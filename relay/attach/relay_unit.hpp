#pragma once

#include <string>

#include "common/base/result.hpp"

namespace millrace::attach {

/// Whether systemd runs the relay on this machine, by the unit of our package.
bool relay_is_unit();

/// Restarts the unit, so that every setting takes effect; its socket unit keeps connections waiting
/// meanwhile, none is refused. `wakes` says that the relay may have to run postqueue(1): then a
/// drop-in gives it Postfix's group for that, else the drop-in goes away.
/// Failure: systemctl's words.
Result<void> restart_relay_unit(bool wakes);

}  // namespace millrace::attach
