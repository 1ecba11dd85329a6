#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::relay {

/// CRC-32C (Castagnoli) of `bytes`, continuing from `crc` (0 to begin). The CPU's instruction where
/// there is one: a body is checked before every sending.
std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

/// The table version, for machines without the instruction and for the tests to compare.
std::uint32_t crc32c_portable(std::string_view bytes, std::uint32_t crc = 0);

}  // namespace millrace::relay
