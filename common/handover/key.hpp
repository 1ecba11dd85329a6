#pragma once

#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace millrace::handover {

/// The secret that milter and relay share: raw bytes, never printed. Empty: there is none.
using Key = std::string;

constexpr std::size_t key_min = 32;

/// Reads a key file: one line, the base64 of at least 32 random bytes (`openssl rand -base64 32`).
/// Failure (invalid): the file is missing or unreadable, no regular file, readable by everyone or
/// writable by its group, no base64, or too short; one sentence with the file and what to do.
Result<Key> read_handover_key(const std::string& file);

/// The text of a key file. Failure (invalid): why it is none, without the file's name.
Result<Key> parse_handover_key(std::string_view text);

}  // namespace millrace::handover
