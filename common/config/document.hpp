#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.hpp"

namespace millrace::config {

/// One `name = value` of a configuration file, or one element of a list, with the place it came
/// from.
struct Node {
    enum class Kind { yes_no, number, real, text, group, list };
    Kind kind = Kind::group;
    std::string name;  ///< empty for the root and for list elements
    std::string file;
    unsigned line = 0;
    bool truth = false;
    std::int64_t number = 0;
    double real = 0;
    std::string text;
    std::vector<Node> children;  ///< of a group or a list, in order

    /// `FILE:LINE: `, as compilers write it.
    std::string place() const;
};

/// Text in libconfig syntax as a tree; `name` stands for the file in messages, and `@include`
/// is looked up beside it. Failure (invalid): the place and what the syntax lacks.
/// Thread: any.
Result<Node> read_document(const std::string& text, const std::string& name);

}  // namespace millrace::config
