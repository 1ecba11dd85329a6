#include "relay/cli/terminal.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace millrace::relay {

Style style_of_stdout() {
    Style style;
    if (::isatty(STDOUT_FILENO) == 0) {
        return style;
    }
    auto const* const term = std::getenv("TERM");
    auto const* const no_colour = std::getenv("NO_COLOR");
    style.colour = (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
                   std::string_view(term) != "dumb";
    winsize size = {};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        style.width = size.ws_col;
    }
    return style;
}

bool stdin_is_terminal() {
    return ::isatty(STDIN_FILENO) != 0;
}

bool stderr_is_terminal() {
    return ::isatty(STDERR_FILENO) != 0;
}

std::string paint(const Style& style, Colour colour, std::string_view text) {
    if (!style.colour || colour == Colour::plain) {
        return std::string(text);
    }
    constexpr int codes[] = {0, 1, 2, 31, 33, 32};
    return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<int>(colour)], text);
}

std::string harmless(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto const c = static_cast<unsigned char>(text[i]);
        // C1 controls in UTF-8 are C2 80 … C2 9F; some terminals obey them.
        bool const c1 =
            c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (c < ' ' || c == 0x7f || c1) {
            out += fmt::format("\\x{:02x}", c1 ? static_cast<unsigned char>(text[i + 1]) : c);
            i += c1 ? 1 : 0;
        } else {
            out += text[i];
        }
    }
    return out;
}

std::size_t columns(std::string_view text) {
    std::size_t n = 0;
    for (char const c : text) {
        n += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    }
    return n;
}

std::string shortened(std::string_view text, std::size_t width) {
    if (columns(text) <= width) {
        return std::string(text);
    }
    std::string out;
    std::size_t used = 0;
    for (char const c : text) {
        bool const starts = (static_cast<unsigned char>(c) & 0xc0) != 0x80;
        used += starts ? 1 : 0;
        if (used + 1 > width) {
            break;
        }
        out += c;
    }
    return width == 0 ? std::string() : out + "…";
}

}  // namespace millrace::relay
