#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/mailq.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view mailq_help =
    "usage: millrace mailq [NAME] [--destination DOMAIN] [--sender ADDRESS]\n"
    "                      [--recipient ADDRESS] [--account NAME] [--held] [--json]\n\n"
    "The queue as Postfix's mailq prints it, for eyes and scripts that know it: `*` behind an id "
    "is\n"
    "being tried or due, `!` is held, what was last said stands in brackets. --json is the form "
    "of\n"
    "`postqueue -j`. Everything, unless NAME or a filter says otherwise. See also `millrace "
    "queue`.\n\n"
    "examples:\n"
    "  millrace mailq | tail -1                            how much\n"
    "  millrace mailq | grep -c '^[0-9B-Z]'                how many\n"
    "  millrace mailq --json | jq -r .sender | sort | uniq -c\n";

int run_mailq(const Session& session, const Arguments& arguments) {
    if (arguments.words.size() > 1) {
        return complain_usage("mailq", "it takes one name at most");
    }
    auto client = reach_relay(session);
    if (!client) {
        return complain(client.error());
    }
    boost::json::object request{{"command", "queue"}, {"filter", filter_of(arguments)}};
    if (!arguments.words.empty()) {
        request["name"] = arguments.words.front();
    }
    Mailq mailq(session.json ? Mailq::Form::json : Mailq::Form::people, session.now);
    auto const end = client->ask(std::move(request), [&](const boost::json::object& recipient) {
        fmt::print("{}", mailq.add(recipient));
        return true;
    });
    if (!end) {
        return complain(end.error());
    }
    fmt::print("{}", mailq.end());
    return config::exit_done;
}

}  // namespace

Command mailq_command() {
    auto options = filter_options();
    std::erase_if(options, [](const Option& option) { return option.name == "--all"; });
    return {"mailq",
            "what waits, in the form of Postfix's mailq",
            mailq_help,
            std::move(options),
            run_mailq};
}

}  // namespace millrace::relay
