#include "common/smtp/line_reader.hpp"

#include <utility>

namespace millrace::smtp {

void LineReader::reset() {
    line_.clear();
    mode_ = Mode::reading;
    pending_cr_ = false;
}

void LineReader::keep(std::string_view part) {
    if (mode_ == Mode::reading && line_.size() + part.size() > command_line_max - 2) {
        dropped_ += line_.size();
        line_.clear();
        mode_ = Mode::too_long;
    }
    if (mode_ == Mode::reading) {
        line_ += part;
    } else {
        dropped_ += part.size();
    }
}

std::optional<Line> LineReader::end_line(bool with_cr) {
    const Mode mode = std::exchange(mode_, with_cr ? Mode::reading : Mode::answered);
    std::string text = std::exchange(line_, {});
    if (!with_cr) return Line{Line::Kind::bare_line_end, {}};
    switch (mode) {
        case Mode::reading:
            return Line{Line::Kind::command, std::move(text)};
        case Mode::bare:
            return Line{Line::Kind::bare_line_end, {}};
        case Mode::too_long:
            return Line{Line::Kind::too_long, {}};
        case Mode::answered:
            return std::nullopt;
    }
    std::unreachable();
}

std::optional<Line> LineReader::next(std::string_view& bytes) {
    while (!bytes.empty()) {
        if (pending_cr_) {
            pending_cr_ = false;
            if (bytes.front() == '\n') {
                bytes.remove_prefix(1);
                if (auto line = end_line(true)) return line;
                continue;
            }
            if (mode_ == Mode::reading) {
                dropped_ += line_.size();
                line_.clear();
                mode_ = Mode::bare;
            }
            ++dropped_;
        }
        const std::size_t end = bytes.find_first_of("\r\n");
        keep(bytes.substr(0, end));
        if (end == std::string_view::npos) {
            bytes = {};
            break;
        }
        const bool cr = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (cr) {
            pending_cr_ = true;
        } else {
            dropped_ += line_.size() + 1;
            return end_line(false);
        }
    }
    return std::nullopt;
}

}  // namespace millrace::smtp
