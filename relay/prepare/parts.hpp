#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/mail/header_block.hpp"

namespace millrace::relay {

/// How deep multiparts and attached messages are followed; what lies deeper counts as one leaf.
constexpr unsigned part_depth_max = 20;

/// A part that holds content itself (RFC 2045 §2.4): the message when it is no multipart, or a leaf
/// of its tree.
struct Part {
    mail::Extent header;   ///< of the part's header block, its empty line not included
    mail::Extent body;     ///< without the line end that belongs to the next boundary
    std::string type;      ///< the top-level type, lower-case; `text` when none is given
    std::string encoding;  ///< lower-case Content-Transfer-Encoding; `7bit` when none is given
    bool sealed = false;  ///< inside multipart/signed, multipart/encrypted or a DKIM-signed message
    bool message = false;  ///< its header is a message's, not only a part's
};

/// The leaves of a message with CRLF line ends, in order. Bytes between parts (preamble, epilogue)
/// belong to none. Total; linear in size times the depth of nesting, which is bounded.
std::vector<Part> leaves_of(std::string_view message);

}  // namespace millrace::relay
