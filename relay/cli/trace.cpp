#include <fmt/format.h>
#include <set>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view trace_help =
    "usage: millrace trace NAME | TARGET | all [--for TIME] [--count N] [--json]\n\n"
    "The dialogue with receiving servers as it happens: `>` what we say, `<` what they answer, `-` "
    "what\n"
    "becomes of the connection. Of a message that waits (NAME), a destination, one of our "
    "addresses,\n"
    "site:NAME, provider:NAME, account:NAME, from:DOMAIN, or all. Passwords and messages are not "
    "shown.\n"
    "Ends with Ctrl-C, after --for (30s, 5m) or after --count lines. Watching never slows "
    "delivery: "
    "who\n"
    "reads too slowly loses lines, and is told how many.\n\n"
    "Nothing happens? `millrace destinations` says what waits for what; `millrace retry` makes it "
    "due.\n\n"
    "examples:\n"
    "  millrace trace gmail.com\n"
    "  millrace trace 0V3RLX8M2PQ7T & millrace retry 0V3RLX8M2PQ7T\n"
    "  millrace trace 192.0.2.1 --for 5m --json > dialogue.jsonl\n";

Result<boost::json::object> request_of(const Arguments& arguments) {
    if (arguments.words.size() != 1) {
        return failure(Fault::invalid, "whose dialogue? One message, one target, or all");
    }
    boost::json::object request{{"command", "trace"}, {"target", arguments.words.front()}};
    if (auto const text = arguments.value("--for"); !text.empty()) {
        auto const time = config::parse_duration(text);
        if (!time || *time < std::chrono::milliseconds(1)) {
            return failure(Fault::invalid, "--for " + text + ": write how long (30s, 5m)");
        }
        request["for_ms"] = *time / std::chrono::milliseconds(1);
    }
    if (auto const count = arguments.value("--count"); !count.empty()) {
        bool const good = count.size() <= 9 && count != "0" &&
                          count.find_first_not_of("0123456789") == std::string::npos;
        if (!good) {
            return failure(Fault::invalid, "--count wants a number of lines");
        }
        request["limit"] = std::stoull(count);
    }
    return request;
}

int run_trace(const Session& session, const Arguments& arguments) {
    auto request = request_of(arguments);
    if (!request) {
        return complain_usage("trace", request.error().detail);
    }
    auto client = reach_relay(session);
    if (!client) {
        return complain(client.error());
    }
    std::set<std::uint64_t> shown;
    auto const end = client->ask(std::move(*request), [&](const boost::json::object& line) {
        if (session.json) {
            fmt::print("{}\n", boost::json::serialize(line));
        } else {
            bool const begins = shown.insert(number_of(line, "conversation")).second;
            fmt::print("{}", view_trace(line, begins, session.style));
        }
        return std::fflush(stdout) == 0;
    });
    return end ? config::exit_done : complain(end.error());
}

}  // namespace

std::string view_trace(const boost::json::object& line, bool begins, const Style& style) {
    if (auto const lost = number_of(line, "lost"); lost > 0) {
        return paint(style,
                     Colour::red,
                     fmt::format("… {} lost here: read faster", count_of(lost, "line"))) +
               "\n";
    }
    auto const number = number_of(line, "conversation");
    constexpr Colour colours[] = {Colour::green, Colour::yellow, Colour::bold, Colour::red};
    auto const prefix =
        paint(style, colours[number % std::size(colours)], fmt::format("#{}", number));
    auto const kind = text_of(line, "kind");
    auto const mark = kind == "heard" ? "<" : kind == "note" ? "-" : ">";
    std::string text;
    if (begins && kind != "note") {
        text = fmt::format("{} {} - {}, open already\n",
                           harmless(text_of(line, "at")),
                           prefix,
                           harmless(text_of(line, "host")));
    }
    return text + fmt::format("{} {} {} {}\n",
                              harmless(text_of(line, "at")),
                              prefix,
                              mark,
                              harmless(text_of(line, "text")));
}

Command trace_command() {
    return {"trace",
            "the dialogue with receiving servers, live",
            trace_help,
            {{"--for", true}, {"--count", true}},
            run_trace};
}

}  // namespace millrace::relay
