#include "common/smtp/reply.hpp"

#include <algorithm>
#include <array>

namespace millrace::smtp {

namespace {

constexpr std::size_t line_max = 512;  // with code and CRLF

bool is_printable(char c) {
    return c >= ' ' && c < 127;
}

void append_line(std::string& out,
                 std::string_view code,
                 char separator,
                 std::string_view enhanced,
                 std::string_view text) {
    const std::size_t begin = out.size();
    out += code;
    if (separator == '-' || !enhanced.empty() || !text.empty()) out += separator;
    out += enhanced;
    if (!enhanced.empty() && !text.empty()) out += ' ';
    const std::size_t room = line_max - 2 - (out.size() - begin);
    for (const char c : text.substr(0, room)) {
        out += is_printable(c) ? c : '?';
    }
    out += "\r\n";
}

}  // namespace

std::string Reply::text() const {
    std::string out = std::to_string(code);
    if (!enhanced.empty()) out += ' ' + enhanced;
    for (const std::string& line : lines) {
        if (!line.empty()) out += ' ' + line;
    }
    return out;
}

Reply reply(unsigned code, std::string_view enhanced, std::string_view text) {
    return Reply{code, std::string(enhanced), {std::string(text)}};
}

std::string format(const Reply& reply) {
    std::string out;
    const std::string code = std::to_string(reply.code);
    if (reply.lines.empty()) append_line(out, code, ' ', reply.enhanced, {});
    for (std::size_t i = 0; i < reply.lines.size(); ++i) {
        const bool last = i + 1 == reply.lines.size();
        append_line(out, code, last ? ' ' : '-', reply.enhanced, reply.lines[i]);
    }
    return out;
}

std::string harmless(std::string_view text) {
    std::string out(text.substr(0, 128));
    std::ranges::replace_if(out, [](char c) { return !is_printable(c); }, '?');
    return out;
}

}  // namespace millrace::smtp
