#pragma once

#include <string>
#include <string_view>

#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// The queue that a work stands in: works with the same destination, class, account, sender's domain
/// and slot are alike for whoever decides what is sent when, and are kept in one line by due time.
struct StreamKey {
    std::string destination;
    Class klass = Class::transactional;
    std::string account;
    std::string sender_domain;  ///< empty: a work of before it was known
    std::uint8_t slot = 0;
    bool operator==(const StreamKey&) const = default;
};

/// The name under which the spool keeps it: begins with the destination, so that the streams of one
/// destination stand together. A work of a spool from before there were streams stands in a queue
/// named like its destination alone.
std::string stream_name(const Work& work);
StreamKey parse_stream(std::string_view name);

}  // namespace millrace::relay
