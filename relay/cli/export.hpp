#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/object.hpp>

#include "relay/cli/command.hpp"

namespace millrace::relay {

struct ExportOrder {
    std::string folder;          ///< made when it is missing
    std::string name;            ///< any name of a message; empty: by filter alone
    boost::json::object filter;  ///< as filter_of(); empty: everything
    bool remove = false;         ///< take what was exported out of the queue
};

struct Exported {
    std::uint64_t messages = 0;    ///< written, or there already with the same bytes
    std::uint64_t recipients = 0;  ///< selected ones of these messages
    std::uint64_t removed = 0;     ///< recipients taken out of the queue
    std::uint64_t left = 0;        ///< recipients that could not be: being delivered, or finished
    std::uint64_t in_way = 0;      ///< messages not exported: other files have their names
    std::vector<std::string> first_in_way;  ///< at most 5
};

/// Writes what waits: ID.eml with the bytes as they would be sent (CRLF) and ID.json with envelope
/// and recipients (README in the folder describes it), written with the rights of who calls. With
/// `remove`, recipients leave the queue only after their files are durable, with an event `removed`
/// whose reason begins with `exported to FOLDER`; nobody is told. A message that ends meanwhile is
/// left out.
/// Durable:   all that is counted when it returns.
/// Failure:   refused (relay not reached), not_found (name), unavailable (files, relay); messages
///            exported before it stay, and what was removed is named `"removed": true`.
Result<Exported> export_mail(const Session& session, const ExportOrder& order);

}  // namespace millrace::relay
