#pragma once

#include <string_view>
#include <vector>

#include "common/mail/header_block.hpp"
#include "common/policy/body_scan.hpp"
#include "common/policy/gate.hpp"

namespace millrace::policy {

/// What is wrong with the message's lines: H36, H40 and zero bytes. Only who has the bytes can see
/// it; a milter never does (its MTA has cut the fields already). A zero byte of the header is only
/// noted here, for H32 may mend it: check_edited has the last word.
struct Framing {
    Verdict verdict;  ///< accept or reject
    std::vector<Defect> defects;
    bool normalise = false;   ///< H40 is set to repair: every bare CR and LF is to become CRLF
    bool begin_body = false;  ///< H36 is set to repair: an empty line is to end the fields
};
Framing check_framing(const mail::HeaderBlock& block,
                      const BodyScan& body,
                      const Settings& settings);

/// Accepts or rejects `message` as it is to leave, all edits made: no zero byte may be left in it,
/// in any mode and under any settings.
Verdict check_edited(std::string_view message, const Settings& settings);

}  // namespace millrace::policy
