#include "common/smtp/parameters.hpp"

#include <algorithm>

namespace millrace::smtp {

namespace {

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool is_keyword(std::string_view text) {
    return !text.empty() && is_alphanumeric(text.front()) &&
           std::ranges::all_of(text, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

// Bytes over 127 are let through: a UTF-8 ORCPT has them (RFC 6533 §3).
bool is_value(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return c != '=' && static_cast<unsigned char>(c) > ' ' && c != 127;
    });
}

}  // namespace

ParameterReader::Read ParameterReader::next(Parameter& parameter) {
    const std::size_t blanks = std::min(rest_.find_first_not_of(" \t"), rest_.size());
    if (blanks == rest_.size()) return Read::end;
    if (blanks == 0) return Read::malformed;
    rest_.remove_prefix(blanks);
    const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t"));
    rest_.remove_prefix(word.size());
    const std::size_t equals = word.find('=');
    parameter.keyword = word.substr(0, equals);
    parameter.value.reset();
    if (equals != std::string_view::npos) parameter.value = word.substr(equals + 1);
    const bool good =
        is_keyword(parameter.keyword) && (!parameter.value || is_value(*parameter.value));
    return good ? Read::parameter : Read::malformed;
}

}  // namespace millrace::smtp
