#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <iterator>

#include "relay/cli/command.hpp"
#include "relay/cli/lint.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view lint_help =
    "usage: millrace lint [FILE] [--apply] [--from ADDRESS] [--json]\n\n"
    "What the gate would do with this message under these settings: verdict, faults, edits. Reads\n"
    "stdin when there is no FILE. Needs no running relay. --apply prints the mended message and\n"
    "nothing else; when it is refused, the reply goes to stderr. --from gives the envelope sender\n"
    "(default: the From address).\n\n"
    "Exit code 0 accepted, 1 refused.\n\n"
    "examples:\n"
    "  millrace lint message.eml\n"
    "  millrace lint --apply < message.eml > mended.eml\n"
    "  millrace lint message.eml --json | jq .defects\n";

Result<std::string> read_message(const Arguments& arguments) {
    if (arguments.words.empty() || arguments.words.front() == "-") {
        if (stdin_is_terminal()) {
            fmt::print(stderr, "reading a message from the terminal; Ctrl-D ends it\n");
        }
        return std::string(std::istreambuf_iterator<char>(std::cin), {});
    }
    auto const& file = arguments.words.front();
    std::ifstream in(file, std::ios::binary);
    std::string message(std::istreambuf_iterator<char>(in), {});
    if (!in.is_open() || in.bad()) {
        return failure(Fault::not_found, fmt::format("{}: {}", file, std::strerror(errno)));
    }
    return message;
}

int run_lint(const Session& session, const Arguments& arguments) {
    if (arguments.words.size() > 1) {
        return complain_usage("lint", "one file at a time");
    }
    auto const settings = config::load(session.file, session.missing);
    if (!settings) {
        return complain({Fault::corrupt, settings.error().detail});
    }
    auto const message = read_message(arguments);
    if (!message) {
        complain(message.error());
        return config::exit_usage;
    }
    auto const date = to_rfc5322(session.now);
    auto const unique = fmt::format("lint.{}", unix_millis(session.now));
    LintOptions options;
    options.apply = arguments.has("--apply");
    options.json = session.json;
    options.mail_from = arguments.value("--from");
    options.invention = {date, unique};
    auto const exit_code = lint(*message, (*settings)->gate, options, std::cout, std::cerr);
    std::cout.flush();
    if (!std::cout) {
        return complain({Fault::unavailable, "the output cannot be written"});
    }
    return exit_code;
}

}  // namespace

Command lint_command() {
    return {"lint",
            "what the gate would do with a message",
            lint_help,
            {{"--apply", false}, {"--from", true}},
            run_lint};
}

}  // namespace millrace::relay
