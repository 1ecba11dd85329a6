#include "relay/cli/question.hpp"

#include <cstdio>
#include <fmt/format.h>
#include <iostream>
#include <string>

#include "relay/cli/terminal.hpp"

namespace millrace::relay {

Answered ask(std::string_view question) {
    if (!stdin_is_terminal()) {
        return Answered::nobody_there;
    }
    fmt::print("{} [y/N] ", question);
    std::fflush(stdout);
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes" ? Answered::yes : Answered::no;
}

}  // namespace millrace::relay
