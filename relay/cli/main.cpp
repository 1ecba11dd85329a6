#include <csignal>
#include <string>
#include <vector>

#include "relay/cli/command.hpp"

int main(int argc, char** argv) {
    // `millrace events -f | head` ends quietly.
    std::signal(SIGPIPE, SIG_DFL);
    std::vector<std::string> const words(argv + 1, argv + argc);
    return millrace::relay::run_command_line(words);
}
