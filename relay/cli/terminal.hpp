#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::relay {

/// How to write for whoever reads: a person at a terminal, or a file.
struct Style {
    bool colour = false;
    std::size_t width = 0;  ///< columns; 0: no limit
};

/// For standard output: colours on a terminal unless NO_COLOR is set or TERM is dumb; its width.
Style style_of_stdout();
bool stdin_is_terminal();
bool stderr_is_terminal();

enum class Colour { plain, bold, dim, red, yellow, green };
std::string paint(const Style& style, Colour colour, std::string_view text);

/// Text that came in with mail, made harmless: control characters become \xNN, so that no address
/// and no reply can steer the operator's terminal.
std::string harmless(std::string_view text);

/// Columns on a terminal, for UTF-8 without wide characters.
std::size_t columns(std::string_view text);
/// At most `width` columns, with … at the end of what was cut.
std::string shortened(std::string_view text, std::size_t width);

}  // namespace millrace::relay
