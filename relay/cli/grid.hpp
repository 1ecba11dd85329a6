#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "relay/cli/terminal.hpp"

namespace millrace::relay {

/// A table for people: columns as wide as their widest cell; when the terminal is narrower, the
/// columns that may give way are shortened, the widest first.
class Grid {
  public:
    enum class Fit { left, right, shrinks };
    void column(std::string title, Fit fit = Fit::left);
    /// As many cells as columns; they are made harmless here.
    void row(std::vector<std::string> cells);
    bool empty() const { return rows_.empty(); }
    /// indent: blanks before each line.
    std::string text(const Style& style, std::size_t indent = 0) const;

  private:
    struct Column {
        std::string title;
        Fit fit;
    };
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace millrace::relay
