#include "common/mail/header_block.hpp"

#include <algorithm>

namespace millrace::mail {
namespace {

bool is_wsp(char c) {
    return c == ' ' || c == '\t';
}

char lower_case(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

class Parser {
  public:
    Parser(std::string_view message, LineEnd line_end)
        : message_(message), end_(bytes_of(line_end)) {}

    HeaderBlock run() {
        std::size_t at = 0;
        while (at < message_.size()) {
            const std::size_t line_size = find_line(at);
            const std::size_t next = std::min(at + line_size + end_.size(), message_.size());
            const std::string_view line = message_.substr(at, line_size);
            if (line.empty()) {
                block_.separator = true;
                block_.body_offset = next;
                return std::move(block_);
            }
            if (!take_line(line, at, next)) {
                block_.body_offset = at;
                return std::move(block_);
            }
            look_for_stray_bytes(line, at);
            at = next;
        }
        block_.body_offset = message_.size();
        defect(HeaderDefect::Kind::no_separator, message_.size());
        return std::move(block_);
    }

  private:
    // The size of the line at `at`, without its end.
    std::size_t find_line(std::size_t at) const {
        const std::size_t end = message_.find(end_, at);
        return (end == std::string_view::npos ? message_.size() : end) - at;
    }

    // False when the line does not belong to the header block.
    bool take_line(std::string_view line, std::size_t at, std::size_t next) {
        if (is_wsp(line[0])) {
            if (block_.fields.empty()) {
                defect(HeaderDefect::Kind::stray_fold, at);
                return false;
            }
            extend_last(at + line.size(), next);
            return true;
        }
        if (at == 0 && line.starts_with("From ") && !is_field(line)) {
            defect(HeaderDefect::Kind::mbox_line, at);
            block_.fields_end = next;
            return true;
        }
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, std::min(colon, line.size()));
        if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) > 126; })) {
            defect(HeaderDefect::Kind::name_8bit, at);
            return false;
        }
        if (!is_field(line)) {
            defect(HeaderDefect::Kind::no_colon, at);
            return false;
        }
        block_.fields.push_back({trim(name), line.substr(colon + 1)});
        block_.extents.push_back({at, next - at});
        block_.fields_end = next;
        return true;
    }

    // RFC 5322 §2.2: a name is printable ASCII; §4.5.3 allows blanks between it and the colon.
    static bool is_field(std::string_view line) {
        std::size_t i = 0;
        while (i < line.size() && line[i] > 32 && line[i] < 127 && line[i] != ':')
            ++i;
        if (i == 0) return false;
        while (i < line.size() && is_wsp(line[i]))
            ++i;
        return i < line.size() && line[i] == ':';
    }

    void extend_last(std::size_t value_end, std::size_t next) {
        HeaderField& field = block_.fields.back();
        const auto begin = static_cast<std::size_t>(field.value.data() - message_.data());
        field.value = message_.substr(begin, value_end - begin);
        block_.extents.back().size = next - block_.extents.back().offset;
        block_.fields_end = next;
    }

    void look_for_stray_bytes(std::string_view line, std::size_t at) {
        for (const auto& [byte, kind] :
             {std::pair{'\r', HeaderDefect::Kind::bare_cr},
              {'\n', HeaderDefect::Kind::bare_lf},
              {'\0', HeaderDefect::Kind::nul}})
            if (const std::size_t i = line.find(byte); i != std::string_view::npos)
                defect(kind, at + i);
    }

    void defect(HeaderDefect::Kind kind, std::size_t offset) {
        for (const HeaderDefect& known : block_.defects)
            if (known.kind == kind) return;
        block_.defects.push_back({kind, offset});
    }

    std::string_view message_;
    std::string_view end_;
    HeaderBlock block_;
};

}  // namespace

std::string_view bytes_of(LineEnd line_end) {
    return line_end == LineEnd::crlf ? "\r\n" : "\n";
}

LineEnd detect_line_end(std::string_view text) {
    const std::size_t lf = text.find('\n');
    return lf != std::string_view::npos && lf != 0 && text[lf - 1] == '\r' ? LineEnd::crlf
                                                                           : LineEnd::lf;
}

HeaderBlock parse_header_block(std::string_view message, LineEnd line_end) {
    return Parser(message, line_end).run();
}

std::string unfold(std::string_view value) {
    std::string out;
    out.reserve(value.size());
    for (std::size_t i = 0; i < value.size(); ++i) {
        const bool crlf = value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n';
        const std::size_t next = i + (crlf ? 2 : 1);
        const bool line_end = crlf || value[i] == '\n';
        if (line_end && next < value.size() && is_wsp(value[next]))
            i = next - 1;
        else
            out += value[i];
    }
    return out;
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(blanks);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

bool same_name(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower_case, lower_case);
}

const HeaderField* find_field(std::span<const HeaderField> fields, std::string_view name) {
    const auto found = std::ranges::find_if(
        fields, [name](const HeaderField& f) { return same_name(f.name, name); });
    return found == fields.end() ? nullptr : &*found;
}

std::size_t count_fields(std::span<const HeaderField> fields, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count_if(
        fields, [name](const HeaderField& f) { return same_name(f.name, name); }));
}

}  // namespace millrace::mail
