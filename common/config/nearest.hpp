#pragma once

#include <span>
#include <string>
#include <string_view>

namespace millrace::config {

/// Insertions, deletions, replacements and swaps of neighbours from one word to the other.
unsigned edit_distance(std::string_view a, std::string_view b);

/// The candidate a person most likely meant, or empty when none is near: at most a third of the
/// letters differ, or one is a beginning of the other.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace millrace::config
