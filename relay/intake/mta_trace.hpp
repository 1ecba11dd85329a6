#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::relay {

/// What the MTA in front of us wrote about its own reception, in the topmost Received field.
struct MtaTrace {
    std::string by;                     ///< who wrote it, lower-case; empty when it does not say
    std::string queue_id;               ///< behind `id`; empty when there is none
    std::optional<std::int64_t> taken;  ///< seconds since 1970
};

/// Reads the topmost Received field of a message with CRLF line ends, when it is the first field or
/// stands behind other trace fields only.
MtaTrace read_mta_trace(std::string_view message);

}  // namespace millrace::relay
