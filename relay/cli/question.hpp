#pragma once

#include <string_view>

namespace millrace::relay {

enum class Answered { yes, no, nobody_there };

/// Asks on the terminal, `[y/N]`. Nobody is there when standard input is no terminal.
Answered ask(std::string_view question);

}  // namespace millrace::relay
