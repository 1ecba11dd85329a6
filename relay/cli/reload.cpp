#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view reload_help =
    "usage: millrace reload [--json]\n\n"
    "The relay reads its configuration again, checks it whole, and then goes by it. A bad file "
    "leaves\n"
    "the old one in force and exits with 78. Says which changed settings need a restart.\n\n"
    "examples:\n"
    "  millrace-relay --check && millrace reload\n";

int run_reload(const Session& session, const Arguments& arguments) {
    if (!arguments.words.empty()) {
        return complain_usage("reload", "it takes no argument: the relay knows its file");
    }
    auto const answer = ask_relay(session, {{"command", "reload"}});
    if (!answer) {
        auto const code = complain(answer.error());
        return answer.error().fault == Fault::invalid ? config::exit_configuration : code;
    }
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(answer->end));
        return config::exit_done;
    }
    fmt::print("the new configuration is in force\n");
    for (auto const& setting : list_of(answer->end, "restart_needed")) {
        if (setting.is_string()) {
            fmt::print("  {} takes effect after a restart: systemctl restart millrace-relay\n",
                       harmless(std::string_view(setting.get_string())));
        }
    }
    return config::exit_done;
}

}  // namespace

Command reload_command() {
    return {"reload", "read the configuration again", reload_help, {}, run_reload};
}

}  // namespace millrace::relay
