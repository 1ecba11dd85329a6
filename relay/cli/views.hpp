#pragma once

#include <span>
#include <string>

#include <boost/json/object.hpp>

#include "common/base/time.hpp"
#include "relay/cli/terminal.hpp"

/// The relay's answers as people read them. Pure: same answer, same text.
namespace millrace::relay {

std::string view_status(const boost::json::object& status, Time now, const Style& style);
std::string view_queue(std::span<const boost::json::object> recipients,
                       Time now,
                       const Style& style);
/// Several messages of one name, a line each.
std::string view_matches(std::span<const boost::json::object> messages,
                         Time now,
                         const Style& style);
std::string view_message(const boost::json::object& message, Time now, const Style& style);
std::string view_destinations(std::span<const boost::json::object> destinations,
                              Time now,
                              const Style& style);
/// One line, with its line end.
std::string view_event(const boost::json::object& event, const Style& style);

}  // namespace millrace::relay
