#include "milter/reply.hpp"

namespace millrace::milter {

std::string escape_reply(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const bool printable = c >= 0x20 && c < 0x7f;
        const std::string_view piece = c == '%'    ? std::string_view("%%")
                                       : printable ? std::string_view(&c, 1)
                                                   : std::string_view(" ");
        if (out.size() + piece.size() > reply_text_max) {
            break;
        }
        out += piece;
    }
    return out;
}

Reply trouble() {
    return {Reply::Kind::tempfail, "451", "4.3.0", "Message could not be checked, try again later"};
}

}  // namespace millrace::milter
