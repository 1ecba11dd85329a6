#pragma once

#include <string_view>
#include <vector>

#include "common/config/setting.hpp"
#include "common/config/settings.hpp"

namespace millrace::config {

/// Every setting there is, in the order of the reference page, bound to `settings`: the one place
/// from which parsing, bounds, defaults, `--print-config`, the example and the reference come.
std::vector<Setting> table(Settings& settings);

/// Those of the addresses that mail leaves from.
void describe_sources(Table& t, Relay& r);

/// Those of the gate.
void describe_gate(Table& t, policy::Settings& g);

/// One sentence about a group such as `relay.spool`; empty for none.
std::string_view about_group(std::string_view name);

}  // namespace millrace::config
