#include <charconv>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view queue_help =
    "usage: millrace queue [NAME] [--destination DOMAIN] [--sender ADDRESS]\n"
    "                      [--recipient ADDRESS] [--account NAME] [--held]\n"
    "                      [--limit N | --all] [--json]\n\n"
    "Lists the recipients that wait, oldest message first: 100 of them unless --limit or --all "
    "says\n"
    "otherwise (--json: all). NAME is any name of a message. An empty list is no error.\n\n"
    "examples:\n"
    "  millrace queue\n"
    "  millrace queue --destination gmail.com\n"
    "  millrace queue --sender news@example.com --held\n"
    "  millrace queue --json | jq -r .recipient\n";

constexpr std::uint64_t lines_shown = 100;

Result<std::uint64_t> limit_of(const Session& session, const Arguments& arguments) {
    auto const given = arguments.value("--limit");
    if (given.empty()) {
        return arguments.has("--all") || session.json ? 0 : lines_shown;
    }
    std::uint64_t limit = 0;
    auto const [end, error] = std::from_chars(given.data(), given.data() + given.size(), limit);
    if (error != std::errc{} || end != given.data() + given.size() || limit == 0) {
        return failure(Fault::invalid, "--limit wants a whole number above 0");
    }
    return limit;
}

int run_queue(const Session& session, const Arguments& arguments) {
    auto const limit = limit_of(session, arguments);
    if (!limit) {
        return complain_usage("queue", limit.error().detail);
    }
    if (arguments.words.size() > 1) {
        return complain_usage("queue", "it takes one name at most");
    }
    auto client = reach_relay(session);
    if (!client) {
        return complain(client.error());
    }
    boost::json::object request{
        {"command", "queue"}, {"filter", filter_of(arguments)}, {"limit", *limit}};
    if (!arguments.words.empty()) {
        request["name"] = arguments.words.front();
    }
    std::vector<boost::json::object> rows;
    auto const end = client->ask(std::move(request), [&](const boost::json::object& item) {
        if (session.json) {
            fmt::print("{}\n", boost::json::serialize(item));
        } else {
            rows.push_back(item);
        }
        return true;
    });
    if (!end) {
        return complain(end.error());
    }
    if (session.json) {
        return config::exit_done;
    }
    fmt::print("{}",
               rows.empty() ? "nothing is queued\n" : view_queue(rows, session.now, session.style));
    if (auto const total = number_of(*end, "recipients"); total > rows.size()) {
        fmt::print("… and {} more of {}: --all shows them\n",
                   grouped(total - rows.size()),
                   count_of(number_of(*end, "messages"), "message"));
    }
    return config::exit_done;
}

}  // namespace

std::string view_queue(std::span<const boost::json::object> recipients,
                       Time now,
                       const Style& style) {
    Grid grid;
    grid.column("ID");
    grid.column("AGE", Grid::Fit::right);
    grid.column("SIZE", Grid::Fit::right);
    grid.column("SENDER", Grid::Fit::shrinks);
    grid.column("RECIPIENT", Grid::Fit::shrinks);
    grid.column("TRIES", Grid::Fit::right);
    grid.column("NEXT");
    grid.column("LAST REPLY", Grid::Fit::shrinks);
    for (auto const& r : recipients) {
        auto const sender = text_of(r, "sender");
        grid.row({text_of(r, "id"),
                  age(time_of(r, "born"), now),
                  short_size(number_of(r, "size")),
                  sender.empty() ? "<>" : sender,
                  text_of(r, "recipient"),
                  grouped(number_of(r, "attempts")),
                  flag_of(r, "held") ? "held" : ahead(time_of(r, "due"), now),
                  text_of(r, "last_reply")});
    }
    return grid.text(style);
}

Command queue_command() {
    auto options = filter_options();
    options.push_back({"--limit", true});
    return {"queue", "what waits", queue_help, std::move(options), run_queue};
}

}  // namespace millrace::relay
