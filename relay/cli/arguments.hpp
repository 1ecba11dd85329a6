#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"

namespace millrace::relay {

/// One option that a command knows.
struct Option {
    std::string_view name;             ///< `--destination`
    bool has_value = false;            ///< `--destination NAME` or `--destination=NAME`
    std::string_view short_name = {};  ///< `-f`
};

/// The words behind a command, taken apart.
struct Arguments {
    std::vector<std::string> words;               ///< what is no option
    std::map<std::string, std::string> values;    ///< by option name; the last one counts
    std::multimap<std::string, std::string> all;  ///< every value of every option, in order
    std::set<std::string> switches;

    bool has(const std::string& name) const { return switches.contains(name); }
    std::string value(const std::string& name) const {
        auto const found = values.find(name);
        return found == values.end() ? std::string() : found->second;
    }
    /// Of an option that may be given several times, or once with commas.
    std::vector<std::string> list(const std::string& name) const;
};

/// Options may stand anywhere; `--` ends them. Failure (invalid): an unknown option, with the
/// nearest known one, or a missing value.
Result<Arguments> read_arguments(std::span<const std::string> words, std::span<const Option> known);

}  // namespace millrace::relay
