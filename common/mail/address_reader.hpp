#pragma once

#include <vector>

#include "common/mail/address.hpp"
#include "common/mail/address_lexer.hpp"
#include "common/mail/header_block.hpp"

/// The two readings of an address list. Inside the room: others use address.hpp.
namespace millrace::mail {

struct AddressReading {
    AddressList list;
    std::vector<Extent> phrases;  ///< the words of display and group names, without comments
};

/// The grammar of RFC 5322 §3.4 and §4.4.
Result<AddressReading> read_strict(const Tokens& tokens);

/// What can be made out of anything else; fails when there is no address in it.
Result<AddressReading> read_lenient(const Tokens& tokens);

}  // namespace millrace::mail
