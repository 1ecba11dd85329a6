#include <fmt/format.h>
#include <set>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view show_help =
    "usage: millrace show NAME… [--json]\n\n"
    "The journey of a message: its envelope, what became of each recipient, every attempt with "
    "the\n"
    "reply, when the next one comes, and why it waits. NAME is our id, the queue id of the mail\n"
    "server in front, a Message-ID, or the address of a recipient or sender. Several messages of "
    "one\n"
    "name are listed, those that wait first. Finished messages are found as long as their events\n"
    "are kept (relay.spool.keep_events).\n\n"
    "examples:\n"
    "  millrace show 0V3RLX8M2PQ7T\n"
    "  millrace show 4XyZ1c2Fq7z9Kb                 Postfix's queue id\n"
    "  millrace show '<2026.1a2b@app.example.com>'  a Message-ID\n"
    "  millrace show anna@example.net\n";

int run_show(const Session& session, const Arguments& arguments) {
    if (arguments.words.empty()) {
        return complain_usage("show", "which message? Give an id, a Message-ID or an address");
    }
    int exit_code = config::exit_done;
    for (auto const& name : arguments.words) {
        auto const answer = ask_relay(session, {{"command", "show"}, {"name", name}});
        if (!answer) {
            exit_code = complain(answer.error());
            if (exit_code == config::exit_unreachable || exit_code == config::exit_configuration) {
                return exit_code;
            }
            continue;
        }
        if (!session.json && answer->items.size() > 1) {
            fmt::print("{}", view_matches(answer->items, session.now, session.style));
        }
        for (auto const& item : answer->items) {
            if (!session.json && answer->items.size() > 1) {
                continue;
            }
            if (session.json) {
                fmt::print("{}\n", boost::json::serialize(item));
            } else {
                fmt::print("{}\n", view_message(item, session.now, session.style));
            }
        }
        auto const messages = number_of(answer->end, "messages");
        if (!session.json && messages > answer->items.size()) {
            fmt::print("… and {} more: millrace queue {}\n",
                       count_of(messages - answer->items.size(), "message"),
                       harmless(name));
        }
    }
    return exit_code;
}

std::string view_waiting(const boost::json::object& message, Time now, const Style& style) {
    std::string text;
    for (auto const& value : list_of(message, "waiting")) {
        auto const* const r = value.if_object();
        if (r == nullptr) {
            continue;
        }
        bool const held = flag_of(*r, "held");
        text += fmt::format("  {}  {}, {}\n",
                            paint(style, Colour::bold, harmless(text_of(*r, "recipient"))),
                            held ? paint(style, Colour::yellow, "held")
                                 : "next try " + ahead(time_of(*r, "due"), now),
                            count_of(number_of(*r, "attempts"), "attempt"));
        if (auto const why = text_of(*r, "why"); !why.empty()) {
            text += fmt::format("    why:  {}\n", harmless(why));
        }
        if (auto const reply = text_of(*r, "last_reply"); !reply.empty()) {
            auto const host = text_of(*r, "last_host");
            text += fmt::format(
                "    last: {}{}\n", host.empty() ? "" : harmless(host) + ": ", harmless(reply));
        }
    }
    return text;
}

std::string reply_of(const boost::json::object& event) {
    auto const reason = text_of(event, "reason");
    auto const code = number_of(event, "smtp_code");
    auto const start = code == 0 ? std::string() : std::to_string(code);
    // The reason often is the whole reply already.
    return code == 0 || reason.starts_with(start) ? reason : start + " " + reason;
}

}  // namespace

std::string view_matches(std::span<const boost::json::object> messages,
                         Time now,
                         const Style& style) {
    Grid grid;
    grid.column("ID");
    grid.column("AGE", Grid::Fit::right);
    grid.column("SENDER", Grid::Fit::shrinks);
    grid.column("RECIPIENT", Grid::Fit::shrinks);
    grid.column("STATE");
    grid.column("LAST REPLY", Grid::Fit::shrinks);
    for (auto const& m : messages) {
        static const boost::json::object nothing;
        auto const& waiting = list_of(m, "waiting");
        auto const& history = list_of(m, "history");
        auto const* const first = history.empty() ? &nothing : history.front().if_object();
        auto const* const last = history.empty() ? &nothing : history.back().if_object();
        auto const* const work = waiting.empty() ? &nothing : waiting.front().if_object();
        if (first == nullptr || last == nullptr || work == nullptr) {
            continue;
        }
        auto const& source = m.contains("sender") ? m : *first;
        auto const sender = text_of(source, "sender");
        std::set<std::string> recipients;
        for (auto const* list : {&waiting, &history}) {
            for (auto const& value : *list) {
                if (auto const* const o = value.if_object()) {
                    recipients.insert(text_of(*o, "recipient"));
                }
            }
        }
        auto to = waiting.empty() ? text_of(*last, "recipient") : text_of(*work, "recipient");
        if (recipients.size() > 1) {
            to += fmt::format(" and {} more", recipients.size() - 1);
        }
        grid.row({text_of(m, "id"),
                  age(time_of(*first, "timestamp"), now),
                  sender.empty() ? "<>" : sender,
                  to,
                  waiting.empty()          ? text_of(*last, "event")
                  : flag_of(*work, "held") ? "held"
                                           : "waits, " + ahead(time_of(*work, "due"), now),
                  waiting.empty() ? reply_of(*last) : text_of(*work, "last_reply")});
    }
    return grid.text(style) + "the journey of one: millrace show ID\n";
}

std::string view_message(const boost::json::object& m, Time now, const Style& style) {
    auto text = paint(style, Colour::bold, harmless(text_of(m, "id"))) + "\n";
    auto const line = [&](std::string_view key, std::string_view value) {
        if (!value.empty()) {
            text += fmt::format("{:<12} {}\n", key, harmless(value));
        }
    };
    auto const& history = list_of(m, "history");
    boost::json::object const* const first = history.empty() ? nullptr : history[0].if_object();
    // What is finished has no envelope any more; its first event still knows.
    boost::json::object const& source = m.contains("sender") || first == nullptr ? m : *first;
    auto const sender = text_of(source, "sender");
    line("from", sender.empty() ? "<> (a notice: it has no sender)" : sender);
    if (m.contains("size")) {
        line("size", short_size(number_of(m, "size")));
    }
    line("message-id", text_of(source, "message_id"));
    line("came as", text_of(source, "mta_queue_id"));
    line("client", text_of(m, "client"));
    line("account", text_of(source, "account"));
    line("class, tag", fmt::format("{}, {}", text_of(source, "class"), text_of(source, "tag")));
    if (auto const received = time_of(m, "received")) {
        line("received", fmt::format("{} ({} ago)", to_rfc3339(*received), age(received, now)));
    }
    auto const waiting = view_waiting(m, now, style);
    text +=
        waiting.empty() ? "nothing waits: every recipient is finished\n" : "waiting\n" + waiting;

    Grid journey;
    journey.column("TIME");
    journey.column("EVENT");
    journey.column("RECIPIENT", Grid::Fit::shrinks);
    journey.column("TRY", Grid::Fit::right);
    journey.column("SERVER", Grid::Fit::shrinks);
    journey.column("REPLY", Grid::Fit::shrinks);
    for (auto const& value : history) {
        if (auto const* const e = value.if_object()) {
            auto const attempt = number_of(*e, "attempt");
            journey.row({text_of(*e, "timestamp"),
                         text_of(*e, "event"),
                         text_of(*e, "recipient"),
                         attempt == 0 ? "" : std::to_string(attempt),
                         text_of(*e, "remote_mta"),
                         reply_of(*e) + (flag_of(*e, "possible_duplicate")
                                             ? " (the connection died after the dot: it may have "
                                               "arrived all the same)"
                                             : "")});
        }
    }
    return text + (journey.empty() ? "" : "history\n" + journey.text(style, 2));
}

Command show_command() {
    return {"show", "the journey of one message", show_help, {}, run_show};
}

}  // namespace millrace::relay
