#include "common/policy/body_scan.hpp"

#include <algorithm>
#include <cstring>

namespace millrace::policy {

namespace {

bool any_8bit(std::string_view text) {
    unsigned char all = 0;
    for (const char c : text) {
        all = static_cast<unsigned char>(all | static_cast<unsigned char>(c));
    }
    return all >= 0x80;
}

}  // namespace

BodyScan scan_body(std::string_view body, mail::LineEnd line_end) {
    const bool crlf = line_end == mail::LineEnd::crlf;
    BodyScan scan;
    scan.has_8bit = any_8bit(body);
    scan.has_nul = body.find('\0') != std::string_view::npos;
    std::size_t line_start = 0;  // a bare LF ends no line
    for (std::size_t start = 0; start < body.size();) {
        const std::size_t found = body.find('\n', start);
        const std::size_t end = std::min(found, body.size());
        const bool ended = found != std::string_view::npos;
        std::string_view piece = body.substr(start, end - start);
        const bool has_cr = ended && piece.ends_with('\r');
        if (crlf && has_cr) piece.remove_suffix(1);
        if (piece.find('\r') != std::string_view::npos) scan.has_bare_cr = true;
        if (ended && crlf && !has_cr) {
            scan.has_bare_lf = true;
        } else {
            scan.longest_line = std::max(scan.longest_line, start + piece.size() - line_start);
            line_start = end + 1;
        }
        start = end + 1;
    }
    if (line_start < body.size()) {
        scan.longest_line = std::max(scan.longest_line, body.size() - line_start);
    }
    return scan;
}

}  // namespace millrace::policy
