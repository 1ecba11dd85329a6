#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "common/base/time.hpp"

/// What the relay answered, read with defaults: a field that is missing or of another type is
/// empty.
namespace millrace::relay {

std::string text_of(const boost::json::object& object, std::string_view key);
std::uint64_t number_of(const boost::json::object& object, std::string_view key);
bool flag_of(const boost::json::object& object, std::string_view key);
std::optional<Time> time_of(const boost::json::object& object, std::string_view key);
const boost::json::array& list_of(const boost::json::object& object, std::string_view key);

/// `2026-11-24T08:15:30.123Z` (RFC 3339 §5.6), fraction optional, always UTC.
std::optional<Time> parse_rfc3339(std::string_view text);

/// `12,204`.
std::string grouped(std::uint64_t n);
/// `1.2M`.
std::string short_size(std::uint64_t bytes);
/// `2h5m`, from then to now; `-` for no time.
std::string age(std::optional<Time> then, Time now);
/// `in 15m`, `due`; `-` for no time.
std::string ahead(std::optional<Time> then, Time now);
/// `1 recipient`, `3 recipients`.
std::string count_of(std::uint64_t n, std::string_view noun);

}  // namespace millrace::relay
