#include <fmt/format.h>
#include <iostream>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/json_view.hpp"

// hold, release, retry, remove, bounce: one shape, five words.

namespace millrace::relay {
namespace {

/// What one of the five does, in words.
struct Deed {
    std::string_view name;
    std::string_view done;    ///< past tense
    std::string_view effect;  ///< said before asking; empty: nothing is lost, nobody is asked
};

constexpr Deed hold{"hold", "held", {}};
constexpr Deed release{"release", "released", {}};
constexpr Deed retry{"retry", "due now", {}};
constexpr Deed remove{
    "remove",
    "removed",
    "They are taken out of the queue for good, and NO ONE is told: neither sender "
    "nor recipient."};
constexpr Deed bounce{"bounce",
                      "bounced",
                      "They are taken out of the queue for good, and each SENDER is told that the "
                      "message was not delivered."};

/// What the deed is to be done to.
std::vector<boost::json::object> targets(const Arguments& arguments) {
    std::vector<boost::json::object> all;
    auto const filter = filter_of(arguments);
    for (auto const& name : arguments.words) {
        all.push_back({{"filter", filter}, {"name", name}});
    }
    if (all.empty() && (!filter.empty() || arguments.has("--all"))) {
        all.push_back({{"filter", filter}});
    }
    return all;
}

struct Total {
    std::uint64_t recipients = 0;
    std::uint64_t messages = 0;
};

Result<Total> for_each(Client& client,
                       std::vector<boost::json::object> all,
                       std::string_view command,
                       bool everything) {
    Total total;
    for (auto& request : all) {
        request["command"] = command;
        if (everything && command != "count") {
            request["all"] = true;
        }
        auto const end = client.ask(request, [](const boost::json::object&) { return true; });
        if (!end) {
            return std::unexpected(end.error());
        }
        total.recipients += number_of(*end, "recipients");
        total.messages += number_of(*end, "messages");
    }
    return total;
}

std::string amount(const Total& total) {
    return count_of(total.recipients, "recipient") + " of " + count_of(total.messages, "message");
}

/// True: go on. Otherwise exit_code says how to leave.
bool confirmed(const Deed& deed, const Total& total, const Arguments& arguments, int& exit_code) {
    if (deed.effect.empty() || arguments.has("--yes")) {
        return true;
    }
    if (!stdin_is_terminal()) {
        exit_code =
            complain_usage(deed.name,
                           fmt::format("this would {} {}; nobody is there to ask, so say --yes",
                                       deed.name,
                                       amount(total)));
        return false;
    }
    fmt::print("{} {}.\n{}\nGo on? [y/N] ", deed.name, amount(total), deed.effect);
    std::fflush(stdout);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer == "y" || answer == "Y" || answer == "yes") {
        return true;
    }
    fmt::print("nothing was changed\n");
    exit_code = config::exit_negative;
    return false;
}

int run_change(const Deed& deed, const Session& session, const Arguments& arguments) {
    auto const all = targets(arguments);
    if (all.empty()) {
        return complain_usage(
            deed.name, "which messages? Give names, a filter such as --destination, or --all");
    }
    auto client = reach_relay(session);
    if (!client) {
        return complain(client.error());
    }
    auto const before = for_each(*client, all, "count", false);
    if (!before) {
        return complain(before.error());
    }
    if (before->recipients == 0) {
        return complain({Fault::not_found, "nothing in the queue matches"});
    }
    if (arguments.has("--dry-run")) {
        if (session.json) {
            fmt::print(
                "{}\n",
                boost::json::serialize(boost::json::object{{"command", deed.name},
                                                           {"dry_run", true},
                                                           {"recipients", before->recipients},
                                                           {"messages", before->messages}}));
        } else {
            fmt::print("would {} {}; nothing was changed\n", deed.name, amount(*before));
        }
        return config::exit_done;
    }
    int exit_code = config::exit_done;
    if (!confirmed(deed, *before, arguments, exit_code)) {
        return exit_code;
    }
    auto const after = for_each(*client, all, deed.name, arguments.has("--all"));
    if (!after) {
        return complain(after.error());
    }
    if (session.json) {
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{{"command", deed.name},
                                                              {"matched", before->recipients},
                                                              {"recipients", after->recipients},
                                                              {"messages", after->messages}}));
        return config::exit_done;
    }
    fmt::print("{}: {}\n", deed.done, amount(*after));
    if (after->recipients < before->recipients) {
        auto const left = before->recipients - after->recipients;
        fmt::print(
            "{} that matched {} left alone: being delivered at this moment, finished meanwhile, "
            "or so already\n",
            count_of(left, "recipient"),
            left == 1 ? "was" : "were");
    }
    return after->recipients == 0 ? config::exit_negative : config::exit_done;
}

template <const Deed& deed>
int run_deed(const Session& session, const Arguments& arguments) {
    return run_change(deed, session, arguments);
}

std::vector<Option> options() {
    auto all = filter_options();
    all.push_back({"--yes", false, "-y"});
    all.push_back({"--dry-run", false, "-n"});
    return all;
}

#define MILLRACE_SELECTION                                                             \
    " NAME… | TARGET… | [--destination DOMAIN] [--sender ADDRESS]\n"               \
    "                       [--recipient ADDRESS] [--account NAME] [--held] | --all\n" \
    "                       [--dry-run] [--yes] [--json]\n\n"

}  // namespace

Command hold_command() {
    return {"hold",
            "keep messages in the queue, do not try them",
            "usage: millrace hold" MILLRACE_SELECTION
            "What is held is not tried, and does not expire, until `millrace release`. Mail that "
            "comes\n"
            "later is not held.\n\n"
            "examples:\n"
            "  millrace hold 0V3RLX8M2PQ7T\n"
            "  millrace hold --sender news@example.com\n",
            options(),
            run_deed<hold>};
}

Command release_command() {
    return {"release",
            "let held messages go",
            "usage: millrace release" MILLRACE_SELECTION
            "Undoes `hold`; the messages are due as they were before.\n\n"
            "examples:\n"
            "  millrace release --held                       all that is held\n"
            "  millrace release --destination example.net\n",
            options(),
            run_deed<release>};
}

Command retry_command() {
    return {"retry",
            "try messages now",
            "usage: millrace retry" MILLRACE_SELECTION
            "Makes messages due at once. A pause that a receiving server asked for still holds: "
            "trying\n"
            "early would prolong it (see `millrace destinations`).\n\n"
            "examples:\n"
            "  millrace retry 0V3RLX8M2PQ7T\n"
            "  millrace retry --destination example.net      their server is repaired\n"
            "  millrace retry --all                          as `postqueue -f`\n",
            options(),
            run_deed<retry>};
}

Command remove_command() {
    return {
        "remove",
        "take messages out of the queue; no one is told",
        "usage: millrace remove" MILLRACE_SELECTION
        "Takes messages out of the queue for good. NO ONE is told. Shows how many and asks first;\n"
        "--yes does not ask. To let the sender know, use `millrace bounce`.\n\n"
        "examples:\n"
        "  millrace remove 0V3RLX8M2PQ7T\n"
        "  millrace remove --sender runaway@example.com --yes\n",
        options(),
        run_deed<remove>};
}

Command bounce_command() {
    return {"bounce",
            "give messages up; the sender is told",
            "usage: millrace bounce" MILLRACE_SELECTION
            "Gives messages up now: each sender gets a notice that his message was not delivered. "
            "Shows\n"
            "how many and asks first; --yes does not ask, --dry-run only counts. A TARGET is a "
            "domain,\n"
            "account:NAME, from:DOMAIN (the sender's), provider:NAME or site:NAME: all that is "
            "queued for\n"
            "it now. Of a provider or site, the destinations that were looked up since the start. "
            "Mail\n"
            "that comes later is not bounced; to stop that too, `millrace pause TARGET` first.\n\n"
            "examples:\n"
            "  millrace bounce 0V3RLX8M2PQ7T\n"
            "  millrace bounce from:runaway.example --dry-run\n"
            "  millrace bounce account:shop gone.example\n"
            "  millrace bounce --destination no-longer.example --yes\n",
            options(),
            run_deed<bounce>};
}

}  // namespace millrace::relay
