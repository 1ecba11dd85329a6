#pragma once

#include <span>
#include <string_view>

namespace millrace::relay {

/// A file of contrib/shaping, embedded when the program was built.
struct ShippedFile {
    std::string_view name;  ///< where it is installed, for people to read
    std::string_view text;
};
/// All of them, in the order of their names. The source is generated (contrib/cmake/Embed.cmake).
std::span<const ShippedFile> shipped_files();

}  // namespace millrace::relay
