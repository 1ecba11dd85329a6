#include "common/smtp/data_writer.hpp"

#include <algorithm>

namespace millrace::smtp {

bool DataWriter::next(std::string& piece, std::size_t target) {
    piece.clear();
    if (finished_) return false;
    while (!rest_.empty() && piece.size() < target) {
        if (line_start_ && rest_.front() == '.') piece += '.';
        const std::size_t window = std::min(rest_.size(), std::max<std::size_t>(target, 1));
        const std::string_view view = rest_.substr(0, window);
        const std::size_t lf = std::min(view.find('\n'), window);
        const std::size_t end = std::min(view.substr(0, lf).find('\r'), lf);
        piece += rest_.substr(0, end);
        rest_.remove_prefix(end);
        line_start_ = end == 0 && line_start_;
        if (end == window) continue;  // a piece of a line, or the end of a message without one
        rest_.remove_prefix(rest_.starts_with("\r\n") ? 2 : 1);
        piece += "\r\n";
        line_start_ = true;
    }
    if (rest_.empty()) {
        if (!line_start_) piece += "\r\n";
        piece += ".\r\n";
        finished_ = true;
    }
    return true;
}

bool has_clean_lines(std::string_view message) {
    if (message.contains('\0')) return false;
    for (std::size_t at = message.find('\n'); at != std::string_view::npos;
         at = message.find('\n', at + 1)) {
        if (at == 0 || message[at - 1] != '\r') return false;
    }
    for (std::size_t at = message.find('\r'); at != std::string_view::npos;
         at = message.find('\r', at + 1)) {
        if (at + 1 == message.size() || message[at + 1] != '\n') return false;
    }
    return true;
}

}  // namespace millrace::smtp
