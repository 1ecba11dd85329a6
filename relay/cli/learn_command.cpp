#include <charconv>
#include <fmt/format.h>
#include <set>

#include <boost/json.hpp>

#include "common/net/asio_clock.hpp"
#include "relay/cli/command.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/learn_view.hpp"
#include "relay/cli/log_file.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view learn_help =
    "usage: millrace learn FILE… | -   [--top N] [--json]\n"
    "       millrace learn --warm SOURCE FILE… | -\n\n"
    "What the logs of the past say: Postfix's, Sendmail's and our own mail log, plain or packed "
    "by\n"
    "gzip, - for standard input. How much went to each destination (per day, busiest hour and\n"
    "minute), what was deferred and bounced and what the reply was about, and the limits that\n"
    "follow: how many connections at once and messages a minute went well, and how many were too\n"
    "many. Needs no running relay and changes nothing.\n\n"
    "--warm: these are the logs of what one of relay.sources has sent until now, from here or "
    "from\n"
    "another machine. When they show mail on seven days of the last 30, the running relay notes\n"
    "that this source has a history, and warms it up no more (relay.sources: warm_up).\n\n"
    "The 20 largest of each, unless --top says otherwise; --json holds all of them (5,000 at "
    "most),\n"
    "in the form millrace-learn-1 that millrace(1) describes.\n\n"
    "Exit code 0 done, 1 no delivery was found.\n\n"
    "examples:\n"
    "  millrace learn /var/log/mail.log*\n"
    "  journalctl -o short -t postfix/smtp | millrace learn -\n"
    "  millrace learn --json /var/log/mail.log* > seeds.json\n"
    "  millrace learn --warm 192.0.2.1 /var/log/mail.log*\n";

constexpr int history_days = 30;
constexpr std::size_t history_least = 7;  // days with mail, of those

/// Days of the last month on which mail was delivered.
std::size_t days_of_history(const Lessons& lessons, Time now) {
    auto const today =
        std::chrono::floor<std::chrono::seconds>(now).time_since_epoch().count() / 86'400;
    std::set<std::int64_t> days;
    for (auto const& [name, learned] : lessons.destinations()) {
        for (auto const& [day, counts] : learned->days) {
            // The log is in a time zone of its own.
            if (counts.sent > 0 && day <= today + 1 && day + history_days > today) {
                days.insert(day);
            }
        }
    }
    return days.size();
}

int mark_warm(const Session& session, const Lessons& lessons, std::string_view source) {
    auto const days = days_of_history(lessons, session.now);
    if (days < history_least) {
        return complain({Fault::not_found,
                         fmt::format("these logs show delivered mail on {} of the last {}: too "
                                     "little for a history, which takes {}",
                                     days,
                                     count_of(history_days, "day"),
                                     history_least)});
    }
    auto const answer = ask_relay(session, {{"command", "warm"}, {"name", source}});
    if (!answer) {
        return complain(answer.error());
    }
    if (session.json) {
        fmt::print("{}\n",
                   boost::json::serialize(boost::json::object{{"source", source}, {"days", days}}));
    } else {
        fmt::print("{} has a history: mail on {} of the last {}; it is not warmed up any more\n",
                   harmless(source),
                   days,
                   count_of(history_days, "day"));
    }
    return config::exit_done;
}

constexpr std::size_t top_usual = 20;
constexpr Duration progress_after = std::chrono::seconds(2);

class Progress {
  public:
    void show(std::string_view file, std::uint64_t bytes) {
        auto const now = AsioClock().wall();
        if (!stderr_is_terminal() || now - began_ < progress_after ||
            now - last_ < std::chrono::milliseconds(200)) {
            return;
        }
        last_ = now;
        fmt::print(stderr, "\r{}: {} read …\x1b[K", harmless(file), short_size(bytes));
    }
    ~Progress() {
        if (last_ != Time{}) fmt::print(stderr, "\r\x1b[K");
    }

  private:
    Time began_ = AsioClock().wall();
    Time last_{};
};

Result<std::size_t> top_of(const Arguments& arguments) {
    auto const given = arguments.value("--top");
    std::size_t top = top_usual;
    auto const [end, error] = std::from_chars(given.data(), given.data() + given.size(), top);
    if (!given.empty() &&
        (error != std::errc{} || end != given.data() + given.size() || top == 0)) {
        return failure(Fault::invalid, "--top wants a whole number above 0");
    }
    return top;
}

int run_learn(const Session& session, const Arguments& arguments) {
    auto const top = top_of(arguments);
    if (!top) {
        return complain_usage("learn", top.error().detail);
    }
    if (arguments.words.empty()) {
        return complain_usage("learn", "which logs? Give files, or - for standard input");
    }
    Lessons lessons;
    LearnedFrom from;
    {
        Progress progress;
        for (auto const& file : arguments.words) {
            auto const read = read_log_file(
                file,
                [&](std::string_view line) {
                    if (auto const attempt = read_log_line(line, session.now)) {
                        lessons.take(*attempt);
                    }
                },
                [&](std::uint64_t bytes) { progress.show(file, bytes); });
            if (!read) {
                complain(read.error());
                return config::exit_usage;
            }
            lessons.new_file();
            from.files.push_back(file);
            from.lines += read->lines;
            from.bytes += read->bytes;
        }
    }
    if (lessons.sums().attempts == 0) {
        return complain({Fault::not_found,
                         fmt::format("no delivery by SMTP in {}: are these logs of Postfix or "
                                     "Sendmail?",
                                     count_of(from.lines, "line"))});
    }
    if (auto const source = arguments.value("--warm"); !source.empty()) {
        return mark_warm(session, lessons, source);
    }
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(lessons_as_json(lessons, from)));
    } else {
        fmt::print("{}", view_lessons(lessons, from, *top, session.style));
    }
    return config::exit_done;
}

}  // namespace

Command learn_command() {
    return {"learn",
            "what the mail logs of the past say",
            learn_help,
            {{"--top", true}, {"--warm", true}},
            run_learn};
}

}  // namespace millrace::relay
