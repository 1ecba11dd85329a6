#pragma once

#include <span>

#include "common/mail/header_block.hpp"

namespace millrace::policy {

class Draft;

/// Mail that is never edited: List-Id, Resent-*, or a DKIM-Signature aligned with From (its d= is
/// the From domain or a parent of it). A signature cannot be verified here, without DNS; that it is
/// there and aligned suffices: an edit would break it if it is valid.
bool is_sealed(const Draft& draft);
bool is_sealed(std::span<const mail::HeaderField> fields);

}  // namespace millrace::policy
