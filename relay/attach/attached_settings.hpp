#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "relay/attach/plan.hpp"

/// attached.conf, as far as it is the same for every mail server. Pure.
namespace millrace::attach {

/// The attached listener that the mail server is to hand its mail to, or null.
const config::Listener* listener_of(const config::Settings& settings);

/// What in Millrace's own settings is in the way of the step, or worth knowing: into the plan.
void look_at_settings(const Wish& wish, Step step, Plan& plan);

/// The groups milter and gate. title: of the mail server. trusted: networks whose mail is judged.
std::string gate_settings(const std::string& title,
                          const Wish& wish,
                          Step step,
                          const std::vector<std::string>& trusted);

/// A line of the group relay that raises our size limit to the mail server's (bytes, 0: none), or
/// nothing when ours is larger.
std::string size_settings(std::uint64_t limit, const Wish& wish, Plan& plan);

}  // namespace millrace::attach
