#include "common/policy/refold.hpp"

#include "common/policy/value_scan.hpp"

namespace millrace::policy {

namespace {

constexpr std::size_t column_max = 78;

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

// Words with the blanks before them, put on lines of 78 columns.
void fold_line(std::string_view line, std::size_t column, std::string& out) {
    bool line_has_text = false;
    bool first_line = column > 0;  // the field's name stands before it
    std::size_t i = 0;
    while (i < line.size()) {
        const std::size_t blanks_start = i;
        while (i < line.size() && is_blank(line[i]))
            ++i;
        std::string_view blanks = line.substr(blanks_start, i - blanks_start);
        const std::size_t word_start = i;
        while (i < line.size() && !is_blank(line[i]))
            ++i;
        const std::string_view word = line.substr(word_start, i - word_start);
        if (word.empty()) break;  // blanks at the end of a line show nowhere
        if (blanks.size() + 1 >= column_max) blanks = blanks.substr(0, 1);
        const std::size_t width = column + blanks.size() + word.size();
        // A line of nothing but the field's name is legal and disliked: only when there is no other
        // way.
        const bool alone = first_line && !line_has_text;
        if (!blanks.empty() && (line_has_text || alone) &&
            width > (alone ? line_max : column_max)) {
            out += alone ? " \n" : "\n";
            column = 0;
            first_line = false;
        }
        out += blanks;
        out += word;
        column += blanks.size() + word.size();
        line_has_text = true;
    }
}

}  // namespace

std::string fold_long_lines(std::string value, std::string_view field_name) {
    if (scan_value(field_name, value).longest_line <= line_max) return value;
    std::string out;
    out.reserve(value.size() + value.size() / 32);
    std::size_t column = field_name.size() + 1;
    for (std::size_t start = 0; start <= value.size();) {
        const std::size_t end = std::min(value.find('\n', start), value.size());
        const std::string_view line = std::string_view(value).substr(start, end - start);
        if (start > 0) out += '\n';
        if (column + line.size() <= line_max) {
            out += line;
        } else {
            fold_line(line, column, out);
        }
        column = 0;
        start = end + 1;
    }
    return out;
}

std::string fold_long_addresses(std::string_view value, std::string_view field_name) {
    std::string spaced;
    spaced.reserve(value.size() + value.size() / 16);
    bool quoted = false;
    unsigned comments = 0;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        spaced += c;
        if (c == '\\' && i + 1 < value.size()) {
            spaced += value[++i];
        } else if (quoted) {
            quoted = c != '"';
        } else if (c == '"' && comments == 0) {
            quoted = true;
        } else if (c == '(') {
            ++comments;
        } else if (c == ')' && comments > 0) {
            --comments;
        } else if (c == ',' && comments == 0 && i + 1 < value.size() && value[i + 1] != ' ' &&
                   value[i + 1] != '\t' && value[i + 1] != '\n') {
            spaced += ' ';
        }
    }
    return fold_long_lines(canonical_value(spaced), field_name);
}

}  // namespace millrace::policy
