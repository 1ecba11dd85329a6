#pragma once

#include <string_view>

namespace millrace::mail {

/// Whether the value is exactly one `<left@right>` of printable ASCII or UTF-8 without blanks
/// inside the brackets; blanks and folds around it are allowed.
bool is_message_id(std::string_view value);

/// The first `<…>` of a Message-ID, In-Reply-To or References value with its brackets; else the
/// trimmed value up to its first blank; empty when there is nothing. A view into value.
std::string_view first_message_id(std::string_view value);

}  // namespace millrace::mail
