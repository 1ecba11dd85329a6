#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view events_help =
    "usage: millrace events [NAME] [-f] [--since TIME] [--last N] [--json]\n\n"
    "What happened, one line for each recipient: received, deferred, delivered, bounced, expired,\n"
    "removed. The last 20 unless --since or --last says otherwise. TIME is how long ago (15m, 2h,\n"
    "3d) or a time (2026-11-24T08:00:00Z). NAME shows only the events of one message or "
    "recipient.\n"
    "-f (--follow) goes on with what comes, until Ctrl-C.\n\n"
    "examples:\n"
    "  millrace events -f\n"
    "  millrace events --since 1h --json > last-hour.jsonl\n"
    "  millrace events anna@example.net --since 3d\n";

Result<std::int64_t> since_ms(const std::string& text, Time now) {
    if (auto const time = parse_rfc3339(text)) {
        return unix_millis(*time);
    }
    auto const ago = config::parse_duration(text);
    if (!ago) {
        return failure(Fault::invalid,
                       fmt::format("--since {}: write how long ago (15m, 2h, 3d) or a time "
                                   "(2026-11-24T08:00:00Z)",
                                   text));
    }
    return std::max<std::int64_t>(0, unix_millis(now - *ago));
}

Result<boost::json::object> request_of(const Session& session, const Arguments& arguments) {
    boost::json::object request{{"command", "events"}, {"follow", arguments.has("--follow")}};
    auto const since = arguments.value("--since");
    auto const last = arguments.value("--last");
    if (!since.empty() && !last.empty()) {
        return failure(Fault::invalid, "--since or --last, not both");
    }
    if (!since.empty()) {
        auto const from = since_ms(since, session.now);
        if (!from) {
            return std::unexpected(from.error());
        }
        request["since_ms"] = *from;
    } else if (!last.empty()) {
        if (last.size() > 5 || last.find_first_not_of("0123456789") != std::string::npos) {
            return failure(Fault::invalid, "--last wants a number from 0 to 99999");
        }
        request["last"] = std::stoul(last);
    } else if (arguments.words.empty()) {
        request["last"] = 20;
    }
    if (arguments.words.size() > 1) {
        return failure(Fault::invalid, "it takes one name at most");
    }
    if (!arguments.words.empty()) {
        request["name"] = arguments.words.front();
    }
    return request;
}

int run_events(const Session& session, const Arguments& arguments) {
    auto request = request_of(session, arguments);
    if (!request) {
        return complain_usage("events", request.error().detail);
    }
    auto client = reach_relay(session);
    if (!client) {
        return complain(client.error());
    }
    auto const end = client->ask(std::move(*request), [&](const boost::json::object& event) {
        if (session.json) {
            fmt::print("{}\n", boost::json::serialize(event));
        } else {
            fmt::print("{}", view_event(event, session.style));
        }
        return std::fflush(stdout) == 0;
    });
    return end ? config::exit_done : complain(end.error());
}

}  // namespace

std::string view_event(const boost::json::object& event, const Style& style) {
    auto const kind = text_of(event, "event");
    auto const colour = kind == "delivered"                      ? Colour::green
                        : kind == "deferred"                     ? Colour::yellow
                        : kind == "bounced" || kind == "expired" ? Colour::red
                                                                 : Colour::plain;
    auto line = fmt::format("{} {:<13} {} {}",
                            harmless(text_of(event, "timestamp")),
                            harmless(text_of(event, "queue_id")),
                            paint(style, colour, fmt::format("{:<9}", harmless(kind))),
                            harmless(text_of(event, "recipient")));
    if (auto const server = text_of(event, "remote_mta"); !server.empty()) {
        line += " at " + harmless(server);
    }
    if (auto const reason = text_of(event, "reason"); !reason.empty()) {
        line += ": " + harmless(reason);
    }
    return line + "\n";
}

Command events_command() {
    return {"events",
            "what happened, and what happens",
            events_help,
            {{"--follow", false, "-f"}, {"--since", true}, {"--last", true}},
            run_events};
}

}  // namespace millrace::relay
