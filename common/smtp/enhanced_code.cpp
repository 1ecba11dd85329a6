#include "common/smtp/enhanced_code.hpp"

namespace millrace::smtp {

namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// One to three digits without a leading zero at `at`, which moves behind them.
std::optional<unsigned> read_number(std::string_view text, std::size_t& at) {
    const std::size_t begin = at;
    unsigned value = 0;
    while (at < text.size() && is_digit(text[at]) && at - begin < 3) {
        value = value * 10 + static_cast<unsigned>(text[at] - '0');
        ++at;
    }
    const std::size_t digits = at - begin;
    if (digits == 0 || (digits > 1 && text[begin] == '0')) return std::nullopt;
    return value;
}

std::optional<EnhancedCode> read_code(std::string_view text, std::size_t& at) {
    const auto klass = read_number(text, at);
    if (!klass || (*klass != 2 && *klass != 4 && *klass != 5)) return std::nullopt;
    if (at == text.size() || text[at++] != '.') return std::nullopt;
    const auto subject = read_number(text, at);
    if (!subject || at == text.size() || text[at++] != '.') return std::nullopt;
    const auto detail = read_number(text, at);
    if (!detail) return std::nullopt;
    return EnhancedCode{*klass, *subject, *detail};
}

}  // namespace

std::string EnhancedCode::text() const {
    return std::to_string(klass) + '.' + std::to_string(subject) + '.' + std::to_string(detail);
}

std::optional<EnhancedCode> EnhancedCode::parse(std::string_view text) {
    std::size_t at = 0;
    const auto code = read_code(text, at);
    return at == text.size() ? code : std::nullopt;
}

LeadingCode leading_enhanced_code(std::string_view text, unsigned klass) {
    std::size_t at = 0;
    const auto code = read_code(text, at);
    if (!code || code->klass != klass) return {};
    if (at < text.size() && text[at] != ' ' && text[at] != '\t') return {};
    while (at < text.size() && (text[at] == ' ' || text[at] == '\t'))
        ++at;
    return {at, *code};
}

}  // namespace millrace::smtp
