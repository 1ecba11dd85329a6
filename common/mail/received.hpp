#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "common/mail/header_block.hpp"

namespace millrace::mail {

/// Hops so far: how many Received fields there are (RFC 5321 §6.3).
std::size_t count_received(std::span<const HeaderField> fields);

/// When that hop took the message: the date behind the last `;` outside comments and quotes,
/// seconds since 1970. No value when there is none.
std::optional<std::int64_t> received_date(std::string_view value);

}  // namespace millrace::mail
