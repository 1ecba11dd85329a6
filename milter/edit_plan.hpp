#pragma once

#include <span>
#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/gate.hpp"

namespace millrace::milter {

/// One modification request of the milter protocol, as it goes to the MTA at end-of-message.
struct Operation {
    enum class Kind {
        change,  ///< smfi_chgheader: the index-th field of that name; an empty value deletes it
        add,     ///< smfi_addheader
        insert,  ///< smfi_insheader: at that position of the whole list
    };
    Kind kind = Kind::change;
    std::string name;
    std::string value;
    int index = 0;
    bool operator==(const Operation&) const = default;
};

/// Behind every field an MTA can hold: both MTAs append there.
constexpr int end_of_block = 10'000;

/// The edits in the one order in which Postfix and Sendmail give the result of policy::apply:
/// replacements first, then deletions from the highest number down (Postfix renumbers after each,
/// Sendmail does not), then what goes on top, then what goes to the end. A further field of a name
/// that is or was there is inserted far behind, since Sendmail adds it before its namesake.
/// Failure (invalid): an edit points behind the last field of its name; Postfix would append it and
/// Sendmail put it before the first, so nothing may be sent.
Result<std::vector<Operation>> plan_edits(std::span<const policy::Edit> edits,
                                          std::span<const mail::HeaderField> fields);

}  // namespace millrace::milter
