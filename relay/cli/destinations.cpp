#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view help =
    "usage: millrace destinations [--json]\n\n"
    "Every destination with mail: how much, how old, how many connections, and why nothing is "
    "sent\n"
    "when nothing is sent.\n\n"
    "  sending   connections are open\n"
    "  waiting   put off to a later attempt, or a limit says wait\n"
    "  paused    the receiver asked for it; `retry` does not override this\n"
    "  held      by an operator: millrace release --destination NAME\n"
    "  idle      nothing is due\n\n"
    "examples:\n"
    "  millrace destinations\n"
    "  millrace destinations --json | jq 'select(.state == \"paused\")'\n";

int run(const Session& session, const Arguments& arguments) {
    if (!arguments.words.empty()) {
        return complain_usage("destinations",
                              "it takes no argument; one destination: millrace queue --destination "
                              "NAME");
    }
    auto const answer = ask_relay(session, {{"command", "destinations"}});
    if (!answer) {
        return complain(answer.error());
    }
    if (session.json) {
        for (auto const& item : answer->items) {
            fmt::print("{}\n", boost::json::serialize(item));
        }
    } else {
        fmt::print("{}",
                   answer->items.empty()
                       ? "no destination has mail waiting\n"
                       : view_destinations(answer->items, session.now, session.style));
    }
    return config::exit_done;
}

}  // namespace

std::string view_destinations(std::span<const boost::json::object> destinations,
                              Time now,
                              const Style& style) {
    Grid grid;
    grid.column("DESTINATION", Grid::Fit::shrinks);
    grid.column("STATE");
    grid.column("QUEUED", Grid::Fit::right);
    grid.column("HELD", Grid::Fit::right);
    grid.column("OLDEST", Grid::Fit::right);
    grid.column("OPEN", Grid::Fit::right);
    grid.column("NEXT");
    grid.column("WHY", Grid::Fit::shrinks);
    for (auto const& d : destinations) {
        auto const until = time_of(d, "until");
        auto const why = text_of(d, "why");
        grid.row({text_of(d, "destination"),
                  text_of(d, "state"),
                  grouped(number_of(d, "queued")),
                  grouped(number_of(d, "held")),
                  age(time_of(d, "oldest"), now),
                  grouped(number_of(d, "connections")),
                  ahead(until ? until : time_of(d, "next_due"), now),
                  why.empty() ? text_of(d, "last_reply") : why});
    }
    return grid.text(style);
}

Command destinations_command() {
    return {"destinations", "where mail waits, and why", help, {}, run};
}

}  // namespace millrace::relay
