#include "relay/attach/setting_text.hpp"

#include <algorithm>

namespace millrace::attach {

std::string config_string(std::string_view text) {
    std::string out = "\"";
    for (char const c : text) {
        if (c == '\n' || c == '\r') {
            out += c == '\n' ? "\\n" : "\\r";
            continue;
        }
        if (c == '"' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out + '"';
}

std::string one_line(std::string text) {
    std::ranges::replace_if(
        text, [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return text;
}

std::string array(const std::vector<std::string>& texts) {
    std::string out = "[";
    for (auto const& text : texts) {
        out += (out.size() > 1 ? ", " : " ") + config_string(text);
    }
    return out + (texts.empty() ? "]" : " ]");
}

}  // namespace millrace::attach
