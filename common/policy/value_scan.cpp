#include "common/policy/value_scan.hpp"

#include <algorithm>

namespace millrace::policy {

namespace {

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

}  // namespace

ValueScan scan_value(std::string_view name, std::string_view value) {
    ValueScan scan;
    std::size_t line = name.size() + 1;
    scan.wire_size = name.size() + value.size() + 3;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const auto byte = static_cast<unsigned char>(c);
        const bool fold = c == '\n' && i + 1 < value.size() && is_blank(value[i + 1]);
        if (fold) {
            const bool crlf = i > 0 && value[i - 1] == '\r';
            if (crlf) {
                --line;
            } else {
                ++scan.wire_size;
            }
            scan.longest_line = std::max(scan.longest_line, line);
            line = 0;
            continue;
        }
        ++line;
        if (byte >= 0x80) {
            scan.has_8bit = true;
        } else if (byte == 0x7f || (byte < 0x20 && c != '\t')) {
            const bool crlf =
                c == '\r' && i + 2 < value.size() && value[i + 1] == '\n' && is_blank(value[i + 2]);
            if (!crlf) scan.has_control = true;
        } else if (c == '=' && i + 1 < value.size() && value[i + 1] == '?') {
            scan.has_word_mark = true;
        }
    }
    scan.longest_line = std::max(scan.longest_line, line);
    return scan;
}

std::string canonical_value(std::string_view value) {
    std::string out;
    out.reserve(value.size() + 1);
    if (value.empty() || !is_blank(value.front())) out += ' ';
    std::size_t line = 0;        // where the current line starts in `out`
    bool line_has_text = false;  // otherwise a fold would leave a line of white space
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        if (c == '\r' || c == '\0') continue;
        if (c == '\n') {
            const bool folded = i + 1 < value.size() && is_blank(value[i + 1]);
            if (line_has_text) {
                out += '\n';
                line = out.size();
                line_has_text = false;
            }
            if (!folded) out += ' ';
            continue;
        }
        line_has_text = line_has_text || !is_blank(c);
        out += c;
    }
    if (!line_has_text && line > 0) out.resize(line - 1);
    while (out.size() > 1 && is_blank(out.back()))
        out.pop_back();
    return out;
}

}  // namespace millrace::policy
