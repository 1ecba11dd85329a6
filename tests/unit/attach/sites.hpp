#pragma once

#include <string>
#include <vector>

#include "relay/attach/plan.hpp"
#include "relay/attach/postfix.hpp"

namespace millrace::attach {

/// The names of tests/data/attach/NAME.site, in order.
std::vector<std::string> site_names();
/// What the real Postfix of that site said of itself.
Postfix site(const std::string& name);
/// The same Postfix after `postconf -e` of these changes; in what is expanded, a `$name` that is
/// the whole of an element is replaced.
Postfix applied(Postfix postfix, const std::vector<Change>& changes);

/// All mail, defaults, where Debian has things.
Wish wish();
/// The value a plan gives a parameter, service or option; the empty string when it gives none.
std::string value_of(const Plan& plan, const std::string& name);
bool says(const std::vector<std::string>& sentences, const std::string& words);

}  // namespace millrace::attach
