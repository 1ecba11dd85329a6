#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "relay/api/control.hpp"

/// The answers of the control socket as JSON: one object per line, without the line end. Times are
/// RFC 3339 texts; what is not known is left out.
namespace millrace::relay {

/// A member of an answer, unless nothing is known of it.
void put(boost::json::object& object, std::string_view key, std::string_view value);
void put(boost::json::object& object, std::string_view key, Time value);

std::string control_item(const DestinationStatus& destination);
std::string control_item(const ProviderStatus& provider);
std::string control_item(const Explanation& explanation);
std::string control_item(const Standing::Queue& queue);
std::string control_item(const Standing::Learned& learned);
std::string control_item(const QueuedRecipient& recipient);
std::string control_item(const MessageReport& report);
std::string control_item(const Event& event);
std::string control_item(const Order& order);
std::string control_item(const TraceLine& line);
/// So many lines of a trace were lost here.
std::string control_lost(std::uint64_t lines);

/// The envelope with the state of every recipient: what is needed to hand the message in again.
std::string control_envelope(const MessageReport& report);
/// A piece of a message; each byte is the character of that number (U+0000 to U+00FF).
std::string control_piece(std::string_view bytes);

std::string control_progress(std::uint64_t recipients);
std::string control_end(const Status& status);
std::string control_end(const Standing& standing);
std::string control_end(const Counted& counted);
std::string control_end(const Order& order);
std::string control_end_of_trace(std::uint64_t lines);
std::string control_end(const std::vector<std::string>& restart_needed);
std::string control_end();
std::string control_error(const Failure& failure);

std::string_view to_string(DestinationStatus::State state);

}  // namespace millrace::relay
