#pragma once

#include <string>
#include <vector>

#include "common/base/log.hpp"

namespace millrace {

/// Keeps its lines, for a test to look at.
class RecordingLog final : public Log {
  public:
    std::vector<std::string> lines;
    void write(Level, std::string_view event, std::initializer_list<Field> fields) override {
        lines.push_back(format_log_line(event, fields));
    }
};

}  // namespace millrace
