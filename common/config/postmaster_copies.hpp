#pragma once

#include <string>
#include <vector>

#include "common/config/setting.hpp"
#include "common/config/settings.hpp"

namespace millrace::config {

/// Reads `bounce`, `double-bounce` and `delay` into `copies`, and says what is wrong with another
/// word.
Objection read_postmaster_copies(const std::vector<std::string>& words, PostmasterCopies& copies);
/// The same words again.
std::vector<std::string> words_of(const PostmasterCopies& copies);

}  // namespace millrace::config
