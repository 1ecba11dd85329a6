#include "relay/cli/grid.hpp"

#include <algorithm>

#include "common/base/check.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t narrowest = 8;

}  // namespace

void Grid::column(std::string title, Fit fit) {
    columns_.push_back({std::move(title), fit});
}

void Grid::row(std::vector<std::string> cells) {
    MILLRACE_CHECK(cells.size() == columns_.size());
    for (auto& cell : cells) {
        cell = harmless(cell);
    }
    rows_.push_back(std::move(cells));
}

std::string Grid::text(const Style& style, std::size_t indent) const {
    std::vector<std::size_t> widths;
    std::size_t total = indent + gap * (columns_.size() - 1);
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        auto width = columns(columns_[i].title);
        for (auto const& row : rows_) {
            width = std::max(width, columns(row[i]));
        }
        widths.push_back(width);
        total += width;
    }
    while (style.width != 0 && total > style.width) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (columns_[i].fit == Fit::shrinks && widths[i] > narrowest &&
                (widest == columns_.size() || widths[i] > widths[widest])) {
                widest = i;
            }
        }
        if (widest == columns_.size()) {
            break;
        }
        --widths[widest];
        --total;
    }
    auto const line = [&](const std::vector<std::string>& cells) {
        std::string out(indent, ' ');
        for (std::size_t i = 0; i < cells.size(); ++i) {
            auto const cell = shortened(cells[i], widths[i]);
            std::string const pad(widths[i] - columns(cell), ' ');
            out += columns_[i].fit == Fit::right ? pad + cell : cell + pad;
            out += i + 1 < cells.size() ? std::string(gap, ' ') : "";
        }
        out.erase(out.find_last_not_of(' ') + 1);
        return out;
    };
    std::vector<std::string> titles;
    for (auto const& column : columns_) {
        titles.push_back(column.title);
    }
    std::string out = paint(style, Colour::dim, line(titles)) + "\n";
    for (auto const& row : rows_) {
        out += line(row) + "\n";
    }
    return out;
}

}  // namespace millrace::relay
