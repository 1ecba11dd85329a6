#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

// pause, drain, resume: standing orders, that hold for mail to come as well.

namespace millrace::relay {
namespace {

#define MILLRACE_TARGETS                                                                  \
    "TARGET is one of\n\n"                                                                \
    "  gmail.com            mail for a domain (destination:gmail.com)\n"                  \
    "  provider:google      for all domains behind one provider\n"                        \
    "  site:mx.example.net  for one set of MX hosts, as `millrace destinations` has it\n" \
    "  192.0.2.1            that leaves from one of our addresses (source:192.0.2.1)\n"   \
    "  account:shop         that one account handed in\n"                                 \
    "  from:example.com     whose sender is of that domain; from:<> has none\n"           \
    "  all                  everything\n\n"

constexpr std::string_view pause_help =
    "usage: millrace pause [TARGET… [--for TIME] [--reason TEXT]] [--json]\n\n"
    "Nothing of it is sent until `millrace resume TARGET`, or until --for (30m, 2h, 3d) is over; "
    "a\n"
    "restart changes nothing about that. Mail is accepted and waits; it does not expire meanwhile, "
    "and\n"
    "is tried at least once afterwards. What is being sent at this moment is finished. Given "
    "again,\n"
    "the newer order counts. Without a TARGET: lists the orders in force.\n\n" MILLRACE_TARGETS
    "examples:\n"
    "  millrace pause gmail.com --for 2h --reason 'their incident 4711'\n"
    "  millrace pause account:shop\n"
    "  millrace pause all\n"
    "  millrace pause                                 what is in force\n";

constexpr std::string_view drain_help =
    "usage: millrace drain TARGET… [--for TIME] [--reason TEXT] [--json]\n\n"
    "Lets go what is there and starts nothing new, until `millrace resume TARGET` or until --for "
    "is\n"
    "over. What that means:\n\n"
    "  a source         only mail that was tried from it before, and must come from there again, "
    "still\n"
    "                   leaves from it; all other mail leaves from the other sources of its pool "
    "(and\n"
    "                   waits when there is none). For taking an address out of service.\n"
    "  everything else  what was queued until now is delivered, retries included; what comes later "
    "is\n"
    "                   accepted and waits. For an account that leaves, a domain that moves.\n\n"
    "Without a TARGET: lists the orders in force.\n\n" MILLRACE_TARGETS
    "examples:\n"
    "  millrace drain 192.0.2.1 --reason 'address goes back on Friday'\n"
    "  millrace drain account:shop\n";

constexpr std::string_view resume_help =
    "usage: millrace resume TARGET… [--json]\n\n"
    "Ends a pause or a drain; what waited is due at once, within the limits of its receivers. It\n"
    "also lets bulk mail go that is held because a receiver did not know its recipients (`millrace\n"
    "why` says so), and where a receiver has shut us or a sender's domain out, or could not be\n"
    "reached, the next message that is due is tried now instead of when the wait is over: for when\n"
    "you have mended the cause; refused again, the wait doubles. Mail that waits for a next attempt\n"
    "of its own is made due by `millrace retry`. Exit code 1 when there was none of these. A pace\n"
    "or a rest that a receiver asked for goes on.\n\n"
    "examples:\n"
    "  millrace resume gmail.com\n"
    "  millrace resume account:shop from:example.com\n"
    "  millrace resume provider:google           our address has been taken off its blocklist\n";

int list(const Session& session) {
    auto const answer = ask_relay(session, {{"command", "orders"}});
    if (!answer) {
        return complain(answer.error());
    }
    if (session.json) {
        for (auto const& item : answer->items) {
            fmt::print("{}\n", boost::json::serialize(item));
        }
    } else {
        fmt::print("{}", view_orders(answer->items, session.now, session.style));
    }
    return config::exit_done;
}

/// The options' part of the request.
Result<boost::json::object> request_of(std::string_view verb, const Arguments& arguments) {
    boost::json::object request{{"command", verb}};
    if (auto const reason = arguments.value("--reason"); !reason.empty()) {
        request["reason"] = reason;
    }
    if (auto const text = arguments.value("--for"); !text.empty()) {
        auto const time = config::parse_duration(text);
        if (!time || *time < std::chrono::milliseconds(1)) {
            return failure(Fault::invalid, "--for " + text + ": write how long (30m, 2h, 3d)");
        }
        request["for_ms"] = *time / std::chrono::milliseconds(1);
    }
    return request;
}

std::string said_of(const boost::json::object& order) {
    auto const since = time_of(order, "since");
    auto const until = time_of(order, "until");
    return fmt::format(
        "{} {}{}\n",
        text_of(order, "order") == "drain" ? "draining" : "paused",
        harmless(text_of(order, "target")),
        until ? fmt::format(" for {}", age(since, *until))
              : fmt::format("; back: millrace resume {}", harmless(text_of(order, "target"))));
}

int give(std::string_view verb, const Session& session, const Arguments& arguments) {
    auto const request = request_of(verb, arguments);
    if (!request) {
        return complain_usage(verb, request.error().detail);
    }
    if (arguments.words.empty()) {
        return arguments.values.contains("--for") || arguments.values.contains("--reason")
                   ? complain_usage(verb,
                                    "what? Give a domain, an address of ours, account:NAME, …")
                   : list(session);
    }
    for (auto const& word : arguments.words) {
        auto one = *request;
        one["target"] = word;
        auto const answer = ask_relay(session, std::move(one));
        if (!answer) {
            return complain(answer.error());
        }
        fmt::print(
            "{}", session.json ? boost::json::serialize(answer->end) + "\n" : said_of(answer->end));
    }
    return config::exit_done;
}

int run_pause(const Session& session, const Arguments& arguments) {
    return give("pause", session, arguments);
}

int run_drain(const Session& session, const Arguments& arguments) {
    return give("drain", session, arguments);
}

int run_resume(const Session& session, const Arguments& arguments) {
    if (arguments.words.empty()) {
        return complain_usage("resume", "what? `millrace pause` lists the orders in force");
    }
    for (auto const& word : arguments.words) {
        auto const answer = ask_relay(session, {{"command", "resume"}, {"target", word}});
        if (!answer) {
            return complain(answer.error());
        }
        if (session.json) {
            fmt::print("{}\n", boost::json::serialize(answer->end));
        } else {
            auto const since = time_of(answer->end, "since");
            fmt::print("resumed {}, after {}\n",
                       harmless(text_of(answer->end, "target")),
                       age(since, session.now));
        }
    }
    return config::exit_done;
}

}  // namespace

std::string view_orders(std::span<const boost::json::object> orders, Time now, const Style& style) {
    if (orders.empty()) {
        return "no orders are in force: nothing is paused or drained by an operator\n";
    }
    Grid grid;
    grid.column("ORDER");
    grid.column("TARGET", Grid::Fit::shrinks);
    grid.column("SINCE", Grid::Fit::right);
    grid.column("ENDS");
    grid.column("BY");
    grid.column("REASON", Grid::Fit::shrinks);
    for (auto const& order : orders) {
        auto const until = time_of(order, "until");
        grid.row({text_of(order, "order"),
                  text_of(order, "target"),
                  age(time_of(order, "since"), now),
                  until ? ahead(until, now) : "with resume",
                  text_of(order, "by"),
                  text_of(order, "reason")});
    }
    return grid.text(style);
}

Command pause_command() {
    return {"pause",
            "send nothing to, from or of a target, until resumed",
            pause_help,
            {{"--for", true}, {"--reason", true}},
            run_pause};
}

Command drain_command() {
    return {"drain",
            "let go what is there, start nothing new",
            drain_help,
            {{"--for", true}, {"--reason", true}},
            run_drain};
}

Command resume_command() {
    return {"resume", "end a pause or a drain", resume_help, {}, run_resume};
}

}  // namespace millrace::relay
