#include "relay/cli/command.hpp"

#include <algorithm>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "common/config/nearest.hpp"
#include "common/net/asio_clock.hpp"

namespace millrace::relay {
namespace {

const std::vector<Option> everywhere = {{"--config", true, "-c"},
                                        {"--socket", true},
                                        {"--json", false},
                                        {"--help", false, "-h"},
                                        {"--version", false, "-V"}};

std::string overview() {
    std::string text =
        "millrace: where is my mail? Asks the running relay and gives it orders.\n\n"
        "usage: millrace [COMMAND] [ARGUMENTS]\n\n";
    for (auto const& command : commands()) {
        text += fmt::format("  {:<14}{}\n", command.name, command.summary);
    }
    text +=
        "\nA message is named by our id, the mail server's queue id, its Message-ID, or an "
        "address;\na TARGET is a domain, an IP address of ours, or account:NAME, from:DOMAIN, "
        "provider:NAME,\nsite:NAME.\n"
        "\nwith every command:\n"
        "  -c FILE         configuration (default /etc/millrace/millrace.conf)\n"
        "  --socket PATH   control socket (default: as configured)\n"
        "  --json          for programs: one JSON object per line\n"
        "  --help          more about a command, with examples\n"
        "\nexit codes: 0 done, 1 no (not accepting, nothing found, refused), 64 usage,\n"
        "            69 relay not reached, 75 try again later, 78 configuration\n"
        "\nexamples:\n"
        "  millrace                                  is all well?\n"
        "  millrace show 4XyZ1c2Fq7z9Kb              the journey of one message\n"
        "  millrace why anna@example.net             why is it not there yet?\n"
        "  millrace queue --destination gmail.com    what waits for gmail.com\n"
        "  millrace events -f                        watch\n";
    return text;
}

const Command* find(std::string_view name) {
    auto const all = commands();
    auto const found =
        std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.name == name; });
    return found == all.end() ? nullptr : &*found;
}

/// The position of the command among the words: the first that is neither an option nor a value.
std::size_t position_of_command(std::span<const std::string> words) {
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (words[i] == "-c" || words[i] == "--config" || words[i] == "--socket") {
            ++i;
        } else if (!words[i].starts_with('-')) {
            return i;
        }
    }
    return words.size();
}

int unknown(const std::string& name) {
    std::vector<std::string> names;
    for (auto const& command : commands()) {
        names.emplace_back(command.name);
    }
    auto const meant = config::nearest(name, names);
    fmt::print(stderr,
               "millrace: there is no command {}{}\ntry: millrace --help\n",
               harmless(name),
               meant.empty() ? "" : ": did you mean " + meant + "?");
    return config::exit_usage;
}

}  // namespace

std::span<const Command> commands() {
    static const std::vector<Command> all = {
        status_command(),       queue_command(),  show_command(),     why_command(),
        destinations_command(), events_command(), hold_command(),     release_command(),
        retry_command(),        remove_command(), bounce_command(),   pause_command(),
        drain_command(),        resume_command(), trace_command(),    reload_command(),
        lint_command(),         mailq_command(),  export_command(),   attach_command(),
        detach_command(),       learn_command(),  forecast_command(), simulate_command()};
    return all;
}

int complain(const Failure& failure) {
    fmt::print(stderr, "millrace: {}\n", harmless(failure.detail));
    switch (failure.fault) {
        case Fault::refused:
            return config::exit_unreachable;
        case Fault::invalid:
            return config::exit_usage;
        case Fault::not_found:
            return config::exit_negative;
        case Fault::corrupt:
            return config::exit_configuration;
        default:
            return config::exit_temporary;
    }
}

int complain_usage(std::string_view command, std::string_view what) {
    auto const name =
        command.empty() ? std::string("millrace") : fmt::format("millrace {}", command);
    fmt::print(stderr, "{0}: {1}\ntry: {0} --help\n", name, harmless(what));
    return config::exit_usage;
}

int refuse_machine(const Failure& failure) {
    auto const code = complain(failure);
    return failure.fault == Fault::invalid ? config::exit_negative : code;
}

Result<Client> reach_relay(const Session& session) {
    if (!session.socket.empty()) {
        return Client::connect(session.socket);
    }
    auto const settings = config::load(session.file, session.missing);
    if (!settings) {
        return std::unexpected(Failure{Fault::corrupt, settings.error().detail});
    }
    return Client::connect((*settings)->relay.control_socket);
}

Result<RelayAnswer> ask_relay(const Session& session, boost::json::object request) {
    auto client = reach_relay(session);
    if (!client) {
        return std::unexpected(client.error());
    }
    RelayAnswer answer;
    auto end = client->ask(std::move(request), [&](const boost::json::object& item) {
        answer.items.push_back(item);
        return true;
    });
    if (!end) {
        return std::unexpected(end.error());
    }
    answer.end = std::move(*end);
    return answer;
}

std::vector<Option> filter_options() {
    return {{"--destination", true},
            {"--sender", true},
            {"--recipient", true},
            {"--account", true},
            {"--held", false},
            {"--all", false}};
}

boost::json::object filter_of(const Arguments& arguments) {
    boost::json::object filter;
    for (auto const* name : {"destination", "sender", "recipient", "account"}) {
        if (auto const value = arguments.value(std::string("--") + name); !value.empty()) {
            filter[name] = value;
        }
    }
    if (arguments.has("--held")) {
        filter["held"] = true;
    }
    return filter;
}

int run_command_line(std::span<const std::string> words) {
    auto const at = position_of_command(words);
    std::vector<std::string> rest(words.begin(), words.end());
    const Command* command = &commands().front();
    if (at < words.size()) {
        command = find(words[at] == "help" ? "status" : words[at]);
        if (command == nullptr) {
            return unknown(words[at]);
        }
        rest.erase(rest.begin() + static_cast<long>(at));
    }
    auto known = command->options;
    known.insert(known.end(), everywhere.begin(), everywhere.end());
    auto const arguments = read_arguments(rest, known);
    if (!arguments) {
        return complain_usage(at < words.size() ? command->name : "", arguments.error().detail);
    }
    bool const bare = at == words.size() || words[at] == "help";
    if (arguments->has("--help") || (at < words.size() && words[at] == "help")) {
        auto const* const topic =
            bare && !arguments->words.empty() ? find(arguments->words.front()) : nullptr;
        auto const* const wanted = bare ? topic : command;
        fmt::print("{}", wanted != nullptr ? std::string(wanted->help) : overview());
        return config::exit_done;
    }
    if (arguments->has("--version")) {
        fmt::print("millrace {}\n", config::version());
        return config::exit_done;
    }
    Session session;
    if (auto const file = arguments->value("--config"); !file.empty()) {
        session.file = file;
        session.missing = config::Missing::is_error;
    }
    session.socket = arguments->value("--socket");
    session.json = arguments->has("--json");
    session.style = style_of_stdout();
    session.now = AsioClock().wall();
    return command->run(session, *arguments);
}

}  // namespace millrace::relay
