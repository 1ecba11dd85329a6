#pragma once

#include <string>
#include <string_view>
#include <vector>

/// Values as a configuration file of ours has them (libconfig). Pure.
namespace millrace::attach {

/// In quotes; whatever is in there stays inside of them.
std::string config_string(std::string_view text);
/// `[ "a", "b" ]`
std::string array(const std::vector<std::string>& texts);
/// For a comment: without line ends.
std::string one_line(std::string text);

}  // namespace millrace::attach
