#include "common/config/outline.hpp"

namespace millrace::config {
namespace {

std::vector<std::string> split(const std::string& name) {
    std::vector<std::string> parts;
    std::size_t start = 0;
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', start)) {
        parts.push_back(name.substr(start, dot - start));
        start = dot + 1;
    }
    parts.push_back(name.substr(start));
    return parts;
}

}  // namespace

void Outline::walk(const std::vector<Setting>& lines) {
    auto const leave = [this](std::size_t depth) {
        while (path_.size() > depth) {
            path_.pop_back();
            close(static_cast<unsigned>(path_.size()));
        }
    };
    for (auto const& line : lines) {
        auto parts = split(line.name);
        auto const name = std::move(parts.back());
        parts.pop_back();
        std::size_t common = 0;
        while (common < parts.size() && common < path_.size() && parts[common] == path_[common]) {
            ++common;
        }
        leave(common);
        for (auto i = common; i < parts.size(); ++i) {
            path_.push_back(parts[i]);
            open(parts[i], static_cast<unsigned>(i));
        }
        setting(line, name, static_cast<unsigned>(path_.size()));
    }
    leave(0);
}

}  // namespace millrace::config
