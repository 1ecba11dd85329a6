#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "relay/cli/terminal.hpp"
#include "relay/rehearse/forecast.hpp"

namespace millrace::relay {

/// A list that is to be handed in: how many messages for which domain.
using DomainCounts = std::map<std::string, std::uint64_t>;

/// Adds one line of it: `example.com 1200`, a domain alone or an address (one message each); `#`
/// begins a comment. Failure (invalid): what is wrong with the line.
Result<void> take_domain_line(DomainCounts& counts, std::string_view line);

/// The forecast as people read it; rows beyond `rows_most` are summed up. Pure.
std::string view_forecast(const Forecast& forecast, std::size_t rows_most, const Style& style);

}  // namespace millrace::relay
