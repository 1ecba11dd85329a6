#pragma once

#include "common/config/settings.hpp"
#include "relay/schedule/scheduler.hpp"
#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {

/// The limits that a configuration and the rules in force set to the scheduler.
ScheduleLimits limits_of(const config::Relay& relay, const RuleBook& book);

}  // namespace millrace::relay
