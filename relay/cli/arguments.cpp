#include "relay/cli/arguments.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

#include "common/config/nearest.hpp"

namespace millrace::relay {

std::vector<std::string> Arguments::list(const std::string& name) const {
    std::vector<std::string> found;
    auto const [begin, end] = all.equal_range(name);
    for (auto at = begin; at != end; ++at) {
        std::istringstream parts(at->second);
        for (std::string word; std::getline(parts, word, ',');) {
            if (!word.empty()) {
                found.push_back(word);
            }
        }
    }
    return found;
}

Result<Arguments> read_arguments(std::span<const std::string> words,
                                 std::span<const Option> known) {
    Arguments result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        auto const& word = words[i];
        if (word == "--") {
            result.words.insert(
                result.words.end(), words.begin() + static_cast<long>(i) + 1, words.end());
            break;
        }
        if (word.size() < 2 || word[0] != '-') {
            result.words.push_back(word);
            continue;
        }
        auto const equals = word.starts_with("--") ? word.find('=') : std::string::npos;
        auto const name = word.substr(0, equals);
        auto const option = std::find_if(known.begin(), known.end(), [&](const Option& o) {
            return o.name == name || (!o.short_name.empty() && o.short_name == name);
        });
        if (option == known.end()) {
            std::vector<std::string> names;
            for (auto const& one : known) {
                names.emplace_back(one.name);
            }
            auto const meant = config::nearest(name, names);
            return failure(Fault::invalid,
                           fmt::format("unknown option {}{}",
                                       name,
                                       meant.empty() ? "" : ": did you mean " + meant + "?"));
        }
        std::string const key(option->name);
        if (!option->has_value) {
            if (equals != std::string::npos) {
                return failure(Fault::invalid, fmt::format("{} takes no value", key));
            }
            result.switches.insert(key);
        } else if (equals != std::string::npos) {
            result.values[key] = word.substr(equals + 1);
            result.all.emplace(key, result.values[key]);
        } else if (i + 1 < words.size()) {
            result.values[key] = words[++i];
            result.all.emplace(key, result.values[key]);
        } else {
            return failure(Fault::invalid, fmt::format("{} needs a value", key));
        }
    }
    return result;
}

}  // namespace millrace::relay
