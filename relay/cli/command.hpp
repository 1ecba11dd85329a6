#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>

#include "common/base/result.hpp"
#include "common/config/load.hpp"
#include "common/config/program.hpp"
#include "relay/cli/arguments.hpp"
#include "relay/cli/client.hpp"
#include "relay/cli/terminal.hpp"

namespace millrace::relay {

/// What every subcommand is given.
struct Session {
    std::string file = config::default_file;
    config::Missing missing = config::Missing::means_defaults;
    std::string socket;  ///< --socket; empty: as configured
    bool json = false;
    Style style;
    Time now{};  ///< the machine's wall clock when the command began
};

struct Command {
    std::string_view name;
    std::string_view summary;  ///< one line of `millrace --help`
    std::string_view help;     ///< usage, what it does, examples
    std::vector<Option> options;
    int (*run)(const Session&, const Arguments&);
};

/// All subcommands, in the order of the help. The first is what a bare `millrace` does.
std::span<const Command> commands();

Command status_command();
Command queue_command();
Command show_command();
Command hold_command();
Command release_command();
Command retry_command();
Command remove_command();
Command bounce_command();
Command destinations_command();
Command why_command();
Command forecast_command();
Command simulate_command();
Command events_command();
Command pause_command();
Command drain_command();
Command resume_command();
Command trace_command();
Command reload_command();
Command lint_command();
Command mailq_command();
Command export_command();
Command attach_command();
Command detach_command();
Command learn_command();

/// Reads the whole command line and runs it; returns the exit code.
int run_command_line(std::span<const std::string> words);

/// Says on stderr what went wrong and returns the exit code that belongs to it.
int complain(const Failure& failure);
int complain_usage(std::string_view command, std::string_view what);
/// The same where the command line is sound and this machine is what does not allow it: a no, not a
/// usage error.
int refuse_machine(const Failure& failure);

/// Connected to the relay. Failure: refused when it is not reached, corrupt when the configuration
/// that says where it is cannot be used.
Result<Client> reach_relay(const Session& session);

/// One question whose items are gathered; `end` in the second.
struct RelayAnswer {
    std::vector<boost::json::object> items;
    boost::json::object end;
};
Result<RelayAnswer> ask_relay(const Session& session, boost::json::object request);

/// --destination, --sender, --recipient, --held, --account as the request's filter.
std::vector<Option> filter_options();
boost::json::object filter_of(const Arguments& arguments);

}  // namespace millrace::relay
