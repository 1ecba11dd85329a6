#include <fmt/format.h>
#include <set>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view why_help =
    "usage: millrace why NAME… [--json]\n\n"
    "Why is it not there yet? Or: what became of it? One sentence, then what it stands on: which\n"
    "limit, since when, from which reply; the place in the queue, the expected time, the next\n"
    "attempt, when it gives up and who is told. Mail that is gone is explained as long as its\n"
    "events are kept (relay.spool.keep_events).\n\n"
    "NAME is our id, the queue id of the mail server in front, a Message-ID, an address, or a\n"
    "destination (gmail.com) or provider (google) as `millrace destinations` shows them. Of "
    "several\n"
    "messages each gets one line.\n\n"
    "An expected time is an estimate: the place in the queue at the pace of late, or "
    "at\n"
    "the pace the receiver is known to take.\n\n"
    "examples:\n"
    "  millrace why 0V3RLX8M2PQ7T\n"
    "  millrace why anna@example.net\n"
    "  millrace why gmail.com\n"
    "  millrace why 4XyZ1c2Fq7z9Kb --json | jq -r .answer\n";

int run_why(const Session& session, const Arguments& arguments) {
    if (arguments.words.empty()) {
        return complain_usage("why",
                              "of what? Give an id, an address, a destination or a provider");
    }
    int exit_code = config::exit_done;
    for (auto const& name : arguments.words) {
        auto const answer = ask_relay(session, {{"command", "why"}, {"name", name}});
        if (!answer) {
            exit_code = complain(answer.error());
            if (exit_code == config::exit_unreachable || exit_code == config::exit_configuration) {
                return exit_code;
            }
            continue;
        }
        if (session.json) {
            for (auto const& item : answer->items) {
                fmt::print("{}\n", boost::json::serialize(item));
            }
            continue;
        }
        fmt::print("{}", view_why(answer->items, session.now, session.style));
        std::set<std::string> shown;
        for (auto const& item : answer->items)
            shown.insert(text_of(item, "id"));
        auto const messages = number_of(answer->end, "messages");
        if (messages > shown.size()) {
            fmt::print("… and {} more: millrace queue {}\n",
                       count_of(messages - shown.size(), "message"),
                       harmless(name));
        }
    }
    return exit_code;
}

/// Broken between words at the width; what follows the first line stands under its first word.
std::string folded(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out;
    auto line = indent;
    std::size_t at = 0;
    while (at < text.size()) {
        auto const end = std::min(text.find(' ', at), text.size());
        auto const word = text.substr(at, end - at);
        auto const wide = columns(word);
        if (line > indent && line + 1 + wide > width) {
            out += "\n" + std::string(indent, ' ');
            line = indent;
        } else if (line > indent) {
            out += ' ';
            ++line;
        }
        out += word;
        line += wide;
        at = end + 1;
    }
    return out;
}

std::string one(const boost::json::object& e, const Style& style) {
    auto const width =
        style.width == 0 ? std::size_t{100} : std::min<std::size_t>(style.width, 100);
    auto const about = text_of(e, "about");
    std::string title;
    if (about == "message") {
        auto const sender = text_of(e, "sender");
        title = fmt::format("{}  {} to {}",
                            text_of(e, "id"),
                            sender.empty() ? "a notice" : "from " + sender,
                            text_of(e, "recipient"));
        if (auto const queue_id = text_of(e, "mta_queue_id"); !queue_id.empty()) {
            title += fmt::format(" (came as {})", queue_id);
        }
    } else {
        auto const source = text_of(e, "source");
        title =
            fmt::format("{}{}",
                        source.empty() ? "" : source + " → ",
                        about == "provider" ? text_of(e, "provider") : text_of(e, "destination"));
    }
    auto text = paint(style, Colour::bold, harmless(title)) + "\n";
    text += folded(harmless(text_of(e, "answer")), 0, width) + "\n\n";
    std::size_t indent = 13;
    for (auto const& value : list_of(e, "lines")) {
        auto const* const line = value.if_object();
        if (line != nullptr) indent = std::max(indent, 4 + columns(text_of(*line, "about")));
    }
    for (auto const& value : list_of(e, "lines")) {
        auto const* const line = value.if_object();
        if (line == nullptr) continue;
        text += fmt::format("  {:<{}}{}\n",
                            harmless(text_of(*line, "about")),
                            indent - 2,
                            folded(harmless(text_of(*line, "text")), indent, width));
    }
    auto const& history = list_of(e, "history");
    if (!history.empty()) text += "\n";
    for (auto const& value : history) {
        auto const* const line = value.if_object();
        if (line == nullptr) continue;
        auto when = text_of(*line, "about");  // a second is exact enough to read
        if (when.size() == 24) when.erase(19, 4);
        text += fmt::format(
            "  {}  {}\n", when, folded(harmless(text_of(*line, "text")), 4 + columns(when), width));
    }
    return text;
}

}  // namespace

std::string view_why(std::span<const boost::json::object> answers, Time now, const Style& style) {
    std::set<std::string> messages;
    for (auto const& answer : answers)
        messages.insert(text_of(answer, "id"));
    if (messages.size() <= 1) {
        std::string text;
        for (auto const& answer : answers) {
            text += (text.empty() ? "" : "\n") + one(answer, style);
        }
        return text;
    }
    Grid grid;
    grid.column("ID");
    grid.column("AGE", Grid::Fit::right);
    grid.column("RECIPIENT", Grid::Fit::shrinks);
    grid.column("STATE");
    grid.column("ANSWER", Grid::Fit::shrinks);
    for (auto const& answer : answers) {
        auto const& history = list_of(answer, "history");
        auto const* const first = history.empty() ? nullptr : history.front().if_object();
        grid.row({text_of(answer, "id"),
                  age(first == nullptr ? std::nullopt : time_of(*first, "about"), now),
                  text_of(answer, "recipient"),
                  text_of(answer, "state"),
                  text_of(answer, "answer")});
    }
    return grid.text(style) + "more about one: millrace why ID\n";
}

Command why_command() {
    return {"why", "why is it not there yet?", why_help, {}, run_why};
}

}  // namespace millrace::relay
