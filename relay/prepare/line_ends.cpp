#include "relay/prepare/line_ends.hpp"

#include <algorithm>

namespace millrace::relay {

std::string with_crlf(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 32);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c != '\r' && c != '\n') {
            out += c;
            continue;
        }
        out += "\r\n";
        if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    }
    return out;
}

bool has_broken_line(const mail::HeaderBlock& block) {
    using Kind = mail::HeaderDefect::Kind;
    return std::ranges::any_of(block.defects, [](const mail::HeaderDefect& defect) {
        return defect.kind == Kind::bare_cr || defect.kind == Kind::bare_lf;
    });
}

}  // namespace millrace::relay
