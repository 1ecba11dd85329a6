#include "common/smtp/reply_parser.hpp"

#include <utility>

#include "common/smtp/enhanced_code.hpp"

namespace millrace::smtp {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// 0 when the line does not start with a code of RFC 5321 §4.2.1.
unsigned code_of(std::string_view line) {
    if (line.size() < 3 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2])) return 0;
    const auto digit = [&](std::size_t i) {
        return static_cast<unsigned>(line[i] - '0');
    };
    const unsigned code = digit(0) * 100 + digit(1) * 10 + digit(2);
    return code >= 200 && code <= 599 ? code : 0;
}

}  // namespace

ReplyParser::State ReplyParser::broken(const char* why) {
    fault_ = why;
    return State::broken;
}

ReplyParser::State ReplyParser::feed(std::string_view& bytes) {
    if (!fault_.empty()) return State::broken;
    if (complete_) return State::done;
    while (!bytes.empty()) {
        const std::size_t end = bytes.find('\n');
        const std::string_view part = bytes.substr(0, end);
        if (line_.size() + part.size() > reply_line_max) return broken("a reply line is too long");
        size_ += part.size() + 1;
        if (size_ > reply_size_max) return broken("a reply is too long");
        if (part.contains('\0')) return broken("a reply holds a zero byte");
        line_ += part;
        if (end == std::string_view::npos) {
            --size_;
            bytes = {};
            break;
        }
        bytes.remove_prefix(end + 1);
        if (const State state = finish_line(); state != State::more) return state;
    }
    return State::more;
}

ReplyParser::State ReplyParser::finish_line() {
    std::string_view line = line_;
    while (line.ends_with('\r'))
        line.remove_suffix(1);
    const unsigned code = code_of(line);
    if (code == 0) return broken("a reply line has no reply code");
    const char separator = line.size() > 3 ? line[3] : ' ';
    if (separator != ' ' && separator != '-') return broken("a reply line has no reply code");
    if (reply_.code != 0 && reply_.code != code) return broken("the code changes within a reply");
    if (reply_.lines.size() == reply_lines_max) return broken("a reply has too many lines");

    std::string_view text = line.substr(std::min<std::size_t>(4, line.size()));
    const LeadingCode leading = leading_enhanced_code(text, code / 100);
    if (leading.length > 0) {
        text.remove_prefix(leading.length);
        if (reply_.code == 0) reply_.enhanced = leading.code.text();
    }
    reply_.code = code;
    reply_.lines.emplace_back(text);
    line_.clear();
    complete_ = separator == ' ';
    return complete_ ? State::done : State::more;
}

Reply ReplyParser::take() {
    complete_ = false;
    size_ = 0;
    return std::exchange(reply_, {});
}

}  // namespace millrace::smtp
