#pragma once

#include "relay/attach/plan.hpp"
#include "relay/attach/sendmail.hpp"

/// What `millrace attach sendmail` changes: one block at the end of the .mc file, where nothing
/// behind it can overrule it. Pure.
namespace millrace::attach {

Plan plan_sendmail(const Sendmail& sendmail, const Wish& wish, Step step);

/// The .mc file with this block at its end instead of the one that is there; empty: with none.
std::string with_block(std::string_view mc, std::string_view block);
/// Whether a block of ours is in it.
bool has_block(std::string_view mc);

}  // namespace millrace::attach
