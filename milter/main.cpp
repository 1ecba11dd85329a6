#include <cstdlib>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "common/base/log.hpp"
#include "common/config/program.hpp"
#include "common/net/asio_clock.hpp"
#include "milter/attach_lines.hpp"
#include "milter/supervisor.hpp"

namespace millrace::milter {
namespace {

constexpr std::string_view about =
    "the gate beside Postfix or Sendmail. Every message your side submits (with a login, from\n"
    "this machine, from milter.trusted, or without SMTP) is checked and mended before the MTA "
    "takes\n"
    "it; all other mail passes untouched.\n\n"
    "  --check-socket   print the lines for main.cf and sendmail.mc that attach the MTA\n\n"
    "When the gate is away or unsure the MTA answers 451 and the sender tries again: no message "
    "is\n"
    "lost, none passes unseen. A reload or a restart of its worker refuses no connection";

int show_attach_lines(const config::Program& program) {
    const auto name = SocketName::parse(program.settings->milter.socket);
    if (!name) {
        fmt::print(stderr, "{}\n", name.error().detail);
        return config::exit_configuration;
    }
    fmt::print("{}", attach_lines(*name));
    return config::exit_done;
}

int serve(config::Program program) {
    const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
    DescriptorLog log(STDERR_FILENO,
                      Level::info,
                      journal ? DescriptorLog::Prefix::syslog_level : DescriptorLog::Prefix::none);
    if (::geteuid() == 0) {
        log.warning("gate.root", {{"advice", "run it as a user of its own, such as millrace"}});
    }
    const AsioClock clock;
    return Supervisor(std::move(program), clock, log).run();
}

}  // namespace
}  // namespace millrace::milter

int main(int argc, char** argv) {
    namespace config = millrace::config;
    std::vector<const char*> words(argv, argv + argc);
    const bool check_socket =
        std::erase_if(words, [](std::string_view w) { return w == "--check-socket"; }) > 0;
    config::Program program = config::start_program(static_cast<int>(words.size()),
                                                    words.data(),
                                                    config::Part::milter,
                                                    "millrace-milter",
                                                    millrace::milter::about);
    if (!program.run) {
        return program.exit_code;
    }
    return check_socket ? millrace::milter::show_attach_lines(program)
                        : millrace::milter::serve(std::move(program));
}
