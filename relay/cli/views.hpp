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
/// The rows of providers; with `sites` the destinations of each beneath it; `all`: also those
/// without mail and connections.
std::string view_providers(std::span<const boost::json::object> providers,
                           bool sites,
                           bool all,
                           Time now,
                           const Style& style);
/// Everything about one provider.
std::string view_provider(const boost::json::object& provider, Time now, const Style& style);
/// The answers to `why`: in full for one message or place, a line each for several messages.
std::string view_why(std::span<const boost::json::object> answers, Time now, const Style& style);
std::string view_orders(std::span<const boost::json::object> orders, Time now, const Style& style);
/// One line, with its line end.
std::string view_event(const boost::json::object& event, const Style& style);
/// One line of a dialogue, with its line end; begins: the first of its conversation that is shown.
std::string view_trace(const boost::json::object& line, bool begins, const Style& style);

}  // namespace millrace::relay
