#include "common/mail/message_id.hpp"

#include "common/mail/header_block.hpp"

namespace millrace::mail {

bool is_message_id(std::string_view value) {
    const std::string_view id = trim(value);
    if (id.size() < 5 || !id.starts_with('<') || !id.ends_with('>')) return false;
    const std::string_view inner = id.substr(1, id.size() - 2);
    for (const char c : inner)
        if ((static_cast<unsigned char>(c) <= 32) || c == 127 || c == '<' || c == '>') return false;
    const std::size_t at = inner.rfind('@');
    return at != std::string_view::npos && at != 0 && at + 1 != inner.size();
}

std::string_view first_message_id(std::string_view value) {
    const std::size_t open = value.find('<');
    const std::size_t close = open == std::string_view::npos ? open : value.find('>', open);
    if (close != std::string_view::npos) return value.substr(open, close - open + 1);
    const std::string_view rest = trim(value);
    return rest.substr(0, rest.find_first_of(" \t\r\n"));
}

}  // namespace millrace::mail
