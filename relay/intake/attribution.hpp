#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "common/handover/handover.hpp"

namespace millrace::relay {

/// What a message is held against when it says who it is from.
struct Witness {
    const handover::Key& key;
    std::string_view sender;    ///< of the envelope
    std::string_view queue_id;  ///< XFORWARD IDENT; empty: not told
    Time wall{};
    Duration age_max{};  ///< how long the MTA and we may have kept it
};

/// Who a message is from, by the word of the milter.
struct Attribution {
    std::optional<handover::Handover> handed;  ///< valid; none: nobody knows
    std::string invalid;  ///< why a field that is there is not believed; empty: none is there, or
                          ///< one is believed
};

/// Looks for the milter's field, from the last one upwards, since it puts its own at the end; among
/// the last ten of that name. `message` has CRLF line ends. Pure.
Attribution attribute(std::string_view message, const Witness& witness);

/// The account that pays for it: the login; without one the client's address; `local` for mail
/// that came without SMTP; `forwarded` for mail of others, which would be an account per stranger.
std::string account_of(const handover::Handover& handed);

/// `unknown [192.0.2.1]`, or `local`.
std::string client_text(const handover::Handover& handed);

}  // namespace millrace::relay
