#include <climits>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/export.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view export_help =
    "usage: millrace export DIR [NAME] [--destination DOMAIN] [--sender ADDRESS]\n"
    "                       [--recipient ADDRESS] [--account NAME] [--held] [--all]\n"
    "                       [--remove] [--json]\n\n"
    "Writes what waits into DIR: ID.eml (the message) and ID.json (envelope and recipients), and "
    "a\n"
    "README that says how to hand them in elsewhere. Everything, unless NAME or a filter says\n"
    "otherwise. Nothing in DIR is ever overwritten. The queue stays as it is; with --remove what\n"
    "was exported leaves it, after its files are safe on disk, and no one is told: then say what,\n"
    "or --all. What is being delivered at that moment stays with the relay.\n\n"
    "Exit code 0 done, 1 not all of it (files in the way; recipients that could not be "
    "removed).\n\n"
    "examples:\n"
    "  millrace export /root/queue-today\n"
    "  millrace export /root/gmail --destination gmail.com --remove\n"
    "  millrace export /root/all --all --remove\n";

std::string absolute(const std::string& folder) {
    if (folder.starts_with('/')) {
        return folder;
    }
    char here[PATH_MAX];
    return ::getcwd(here, sizeof here) == nullptr ? folder : std::string(here) + "/" + folder;
}

int report(const Session& session, const ExportOrder& order, const Exported& done) {
    int const exit_code =
        done.in_way == 0 && done.left == 0 ? config::exit_done : config::exit_negative;
    if (session.json) {
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{{"folder", order.folder},
                                                              {"messages", done.messages},
                                                              {"recipients", done.recipients},
                                                              {"removed", done.removed},
                                                              {"left", done.left},
                                                              {"in_way", done.in_way}}));
        return exit_code;
    }
    if (done.messages == 0 && done.in_way == 0) {
        fmt::print("nothing waits: nothing was exported\n");
        return exit_code;
    }
    fmt::print("exported to {}: {} with {}\n",
               harmless(order.folder),
               count_of(done.messages, "message"),
               count_of(done.recipients, "recipient"));
    if (order.remove) {
        fmt::print("removed from the queue: {}\n", count_of(done.removed, "recipient"));
    }
    if (done.left > 0) {
        fmt::print(
            "NOT removed: {}, being delivered at this moment or finished meanwhile; run it "
            "again into another folder\n",
            count_of(done.left, "recipient"));
    }
    if (done.in_way > 0) {
        fmt::print("NOT exported: {}, because other files have their names:\n",
                   count_of(done.in_way, "message"));
        for (auto const& path : done.first_in_way) {
            fmt::print("  {}.*\n", harmless(path));
        }
        fmt::print("an empty folder takes them\n");
    }
    return exit_code;
}

int run_export(const Session& session, const Arguments& arguments) {
    if (arguments.words.empty() || arguments.words.size() > 2) {
        return complain_usage("export", "into which folder? Give it, and one name at most");
    }
    ExportOrder order;
    order.folder = absolute(arguments.words[0]);
    order.name = arguments.words.size() > 1 ? arguments.words[1] : "";
    order.filter = filter_of(arguments);
    order.remove = arguments.has("--remove");
    if (order.remove && order.name.empty() && order.filter.empty() && !arguments.has("--all")) {
        return complain_usage("export",
                              "remove what? Give a name, a filter such as --destination, or --all");
    }
    auto const done = export_mail(session, order);
    return done ? report(session, order, *done) : complain(done.error());
}

}  // namespace

Command export_command() {
    auto options = filter_options();
    options.push_back({"--remove", false});
    return {"export",
            "write what waits into a folder",
            export_help,
            std::move(options),
            run_export};
}

}  // namespace millrace::relay
