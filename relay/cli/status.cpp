#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/nagios.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t orders_shown = 60;  // columns, about

constexpr std::string_view status_help =
    "usage: millrace [status] [--json]\n"
    "       millrace status --nagios [--warning LIST] [--critical LIST]\n\n"
    "Is mail accepted? How much waits, how old is the oldest, which destinations are held or\n"
    "paused and why, and the last three problems.\n\n"
    "`in all` is what became of every recipient ever taken over. Every ten minutes the relay counts\n"
    "what is really on disk; what does not add up is said here and is critical for --nagios.\n\n"
    "What needs you stands apart: a receiver that blocks us, a sender's domain it does not find in\n"
    "order, mail that is late (relay.alert_late_after), too many unknown recipients.\n\n"
    "Exit code 0 while mail is accepted, 1 when it is not, 69 when the relay is not reached.\n\n"
    "--nagios: one line with performance data for Nagios, Icinga, Checkmk and the like, and their\n"
    "exit codes: 0 OK, 1 WARNING (an alert, or a threshold passed), 2 CRITICAL (not accepting, not\n"
    "reached, a critical alert, or a threshold passed), "
    "3 UNKNOWN.\n"
    "LIST: queued=N, held=N, oldest=TIME (above it), free=SIZE (below it). Without any:\n"
    "--warning queued=10000,free=1G --critical queued=50000. The oldest has no threshold of its "
    "own:\n"
    "in a healthy queue mail for a dead domain waits until it expires.\n\n"
    "examples:\n"
    "  millrace\n"
    "  millrace status --json | jq .queued\n"
    "  millrace status --nagios --warning queued=500,oldest=2h --critical queued=5000,oldest=1d\n";

int run_nagios(const Session& session, const Arguments& arguments) {
    auto const say = [](const NagiosVerdict& verdict) {
        fmt::print("{}\n", harmless(verdict.line));
        return verdict.exit_code;
    };
    auto const warning = parse_thresholds(arguments.value("--warning"), default_warning());
    auto const critical = parse_thresholds(arguments.value("--critical"), default_critical());
    if (!warning || !critical || !arguments.words.empty()) {
        return say(nagios_unknown(!warning    ? "--warning: " + warning.error().detail
                                  : !critical ? "--critical: " + critical.error().detail
                                              : std::string("it takes no argument")));
    }
    auto const answer = ask_relay(session, {{"command", "status"}});
    if (!answer) {
        bool const ours =
            answer.error().fault == Fault::corrupt || answer.error().fault == Fault::invalid;
        return say(ours ? nagios_unknown(answer.error().detail)
                        : nagios_critical(answer.error().detail));
    }
    return say(nagios_verdict(answer->end, *warning, *critical, session.now));
}

int run_status(const Session& session, const Arguments& arguments) {
    if (arguments.has("--nagios")) {
        return run_nagios(session, arguments);
    }
    if (!arguments.value("--warning").empty() || !arguments.value("--critical").empty()) {
        return complain_usage("status", "--warning and --critical go with --nagios");
    }
    if (!arguments.words.empty()) {
        return complain_usage("status",
                              "it takes no argument; a message's journey: millrace show ID");
    }
    auto const answer = ask_relay(session, {{"command", "status"}});
    if (!answer) {
        return complain(answer.error());
    }
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(answer->end));
    } else {
        fmt::print("{}", view_status(answer->end, session.now, session.style));
    }
    return flag_of(answer->end, "accepting") ? config::exit_done : config::exit_negative;
}

/// Everything ever taken over, and what became of it.
std::string view_books(const boost::json::object& s, Time now, const Style& style) {
    auto const* const books = s.if_contains("books");
    auto const* const b = books == nullptr ? nullptr : books->if_object();
    if (b == nullptr) return {};  // a relay of an earlier version
    auto text = fmt::format("in all       {} received = {} delivered",
                            grouped(number_of(*b, "received")),
                            grouped(number_of(*b, "delivered")));
    for (auto const* const end : {"bounced", "expired", "suppressed", "removed"}) {
        if (auto const n = number_of(*b, end); n != 0) {
            text += fmt::format(" + {} {}", grouped(n), end);
        }
    }
    text += fmt::format(" + {} queued", grouped(number_of(s, "queued")));
    auto const& wrong = list_of(s, "wrong");
    if (auto const audited = time_of(s, "audited"); audited && wrong.empty()) {
        text += fmt::format("; counted {} ago", age(audited, now));
    }
    text += '\n';
    for (auto const& sentence : wrong) {
        if (!sentence.is_string()) continue;
        text += paint(style,
                      Colour::red,
                      fmt::format("             does not add up: {}\n",
                                  harmless(std::string(sentence.as_string()))));
    }
    return text;
}

}  // namespace

std::string view_status(const boost::json::object& s, Time now, const Style& style) {
    bool const accepting = flag_of(s, "accepting");
    auto text = fmt::format("{} millrace-relay {} on {}, up {}\n",
                            accepting ? paint(style, Colour::green, "accepting mail:")
                                      : paint(style, Colour::red, "NOT accepting mail:"),
                            harmless(text_of(s, "version")),
                            harmless(text_of(s, "hostname")),
                            age(time_of(s, "started"), now));
    if (!accepting) {
        text += fmt::format("             {}\n", harmless(text_of(s, "why_not")));
    }
    auto const queued = number_of(s, "queued");
    text += fmt::format("queued       {}", count_of(queued, "recipient"));
    if (auto const oldest = time_of(s, "oldest")) {
        text += fmt::format(", the oldest for {}", age(oldest, now));
    }
    if (auto const held = number_of(s, "held"); held != 0) {
        text += paint(style, Colour::yellow, fmt::format(", {} held", grouped(held)));
    }
    text += flag_of(s, "loading") ? " (still reading the backlog)\n" : "\n";
    auto const waiting = number_of(s, "waiting");
    text += fmt::format("now          {} in{}, {} out\n",
                        count_of(number_of(s, "sessions"), "connection"),
                        waiting == 0 ? "" : fmt::format(" ({} kept waiting)", grouped(waiting)),
                        count_of(number_of(s, "deliveries"), "connection"));
    text += fmt::format("since start  {} received, {} delivered, {} deferred, {} bounced\n",
                        grouped(number_of(s, "received")),
                        grouped(number_of(s, "delivered")),
                        grouped(number_of(s, "deferred")),
                        grouped(number_of(s, "bounced")));
    text += view_books(s, now, style);
    text += fmt::format("disk         {} free\n", short_size(number_of(s, "free_bytes")));

    if (auto const& orders = list_of(s, "orders"); !orders.empty()) {
        std::string named;
        for (auto const& value : orders) {
            auto const* const order = value.if_object();
            if (order == nullptr || named.size() > orders_shown) {
                named += ", …";
                break;
            }
            named += fmt::format("{}{} {}",
                                 named.empty() ? "" : ", ",
                                 harmless(text_of(*order, "order")),
                                 harmless(text_of(*order, "target")));
        }
        text += fmt::format("your orders  {} (millrace pause lists them)\n",
                            paint(style, Colour::yellow, named));
    }

    if (auto const& warming = list_of(s, "warming"); !warming.empty()) {
        std::string named;
        for (auto const& value : warming) {
            auto const* const one = value.if_object();
            if (one == nullptr) continue;
            auto const end = time_of(*one, "ends");
            named += fmt::format("{}{} towards {}{}",
                                 named.empty() ? "" : ", ",
                                 harmless(text_of(*one, "source")),
                                 count_of(number_of(*one, "receivers"), "receiver"),
                                 end ? ", over " + ahead(end, now) + " at the earliest" : "");
        }
        text += fmt::format("warming up   {}\n", named);
    }

    Grid troubled;
    troubled.column("DESTINATION", Grid::Fit::shrinks);
    troubled.column("QUEUED", Grid::Fit::right);
    troubled.column("HELD", Grid::Fit::right);
    troubled.column("UNTIL");
    troubled.column("WHY", Grid::Fit::shrinks);
    for (auto const& value : list_of(s, "troubled")) {
        if (auto const* const d = value.if_object()) {
            troubled.row({text_of(*d, "destination"),
                          grouped(number_of(*d, "queued")),
                          grouped(number_of(*d, "held")),
                          ahead(time_of(*d, "until"), now),
                          text_of(*d, "why")});
        }
    }
    if (!troubled.empty()) {
        text += "\ndestinations that wait\n" + troubled.text(style, 2);
    }
    Grid alerts;
    alerts.column("SINCE", Grid::Fit::right);
    alerts.column("ALERT");
    alerts.column("OF", Grid::Fit::shrinks);
    alerts.column("", Grid::Fit::shrinks);
    for (auto const& value : list_of(s, "alerts")) {
        if (auto const* const a = value.if_object()) {
            alerts.row({age(time_of(*a, "since"), now),
                        text_of(*a, "kind") + (flag_of(*a, "critical") ? " !" : ""),
                        text_of(*a, "object"),
                        text_of(*a, "text")});
        }
    }
    if (!alerts.empty()) {
        text += "\nneeds you\n" + alerts.text(style, 2);
    }
    Grid problems;
    problems.column("AGO", Grid::Fit::right);
    problems.column("PROBLEM");
    problems.column("", Grid::Fit::shrinks);
    for (auto const& value : list_of(s, "problems")) {
        if (auto const* const p = value.if_object()) {
            problems.row({age(time_of(*p, "at"), now), text_of(*p, "what"), text_of(*p, "detail")});
        }
    }
    if (!problems.empty()) {
        text += "\nlast problems\n" + problems.text(style, 2);
    }
    return text;
}

Command status_command() {
    return {"status",
            "is all well? (also without any command)",
            status_help,
            {{"--nagios", false}, {"--warning", true}, {"--critical", true}},
            run_status};
}

}  // namespace millrace::relay
