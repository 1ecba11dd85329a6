#pragma once

#include <string>
#include <string_view>

#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// Over so many slots the mail of one sender's domain to one destination is shared out among our
/// sources …
constexpr unsigned slots = 16;
/// … and so many sources can a message be given to, one after the other: it is of the slot plus
/// `slots` for each source that could not take it when it was new (relay/schedule/source_pools).
constexpr unsigned ranks = 3;

/// The queue that a work stands in: works with the same destination, class, account, sender's domain
/// and slot are alike for whoever decides what is sent when, and are kept in one line by due time.
struct StreamKey {
    std::string destination;
    Class klass = Class::transactional;
    std::string account;
    std::string sender_domain;  ///< empty: a work of before it was known
    std::uint8_t slot = 0;      ///< below slots * ranks
    bool operator==(const StreamKey&) const = default;
    unsigned rank() const { return slot / slots; }
};

/// The name under which the spool keeps it: begins with the destination, so that the streams of one
/// destination stand together. A work of a spool from before there were streams stands in a queue
/// named like its destination alone.
std::string stream_name(const Work& work);
StreamKey parse_stream(std::string_view name);

}  // namespace millrace::relay
