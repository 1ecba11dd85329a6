#include "relay/cli/learn_view.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <tuple>

#include <boost/json.hpp>

#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

std::string date(std::int64_t day) {
    std::chrono::year_month_day const d{std::chrono::sys_days(std::chrono::days(day))};
    return fmt::format("{:04}-{:02}-{:02}",
                       static_cast<int>(d.year()),
                       static_cast<unsigned>(d.month()),
                       static_cast<unsigned>(d.day()));
}

std::string clock(std::int64_t second, std::string_view between = " ") {
    auto const of_day = second % 86'400;
    return fmt::format("{}{}{:02}:{:02}:{:02}",
                       date(second / 86'400),
                       between,
                       of_day / 3'600,
                       of_day / 60 % 60,
                       of_day % 60);
}

/// `312 on 2026-11-24 14:23`.
std::string peak(const Learned::Peak& p) {
    return p.messages == 0
               ? "-"
               : fmt::format("{} on {}", grouped(p.messages), clock(p.at).substr(0, 16));
}

std::uint64_t busiest_day(const Learned& l) {
    std::uint64_t most = 0;
    for (auto const& [day, sums] : l.days) {
        most = std::max(most, sums.sent);
    }
    return most;
}

/// What a kind of reply means for whoever sends.
std::string_view advice(Blame blame) {
    switch (blame) {
        case Blame::connections:
            return "too many connections";
        case Blame::rate:
            return "too fast";
        case Blame::messages_per_connection:
            return "too many messages on one connection";
        case Blame::recipient:
            return "these mailboxes: unknown, full or busy";
        case Blame::greylist:
            return "greylisting: come back later";
        case Blame::sender:
            return "the sender's address or domain";
        case Blame::content:
            return "what the messages say";
        case Blame::reputation:
            return "this machine's reputation there";
        case Blame::blocklist:
            return "a blocklist: trying again does not help";
        case Blame::compliance:
            return "authentication, reverse DNS, unsubscribe";
        case Blame::receiver_ill:
            return "their own trouble";
        case Blame::tls:
            return "TLS";
        case Blame::none:
            break;
    }
    return "not known";
}

std::string words(const Interval& i, std::string_view what) {
    if (!i.bad) return {};
    return i.good ? fmt::format("{} {} went well at most, {} were too many at least",
                                grouped(*i.good),
                                what,
                                grouped(*i.bad))
                  : fmt::format("{} {} were too many", grouped(*i.bad), what);
}

std::string view_limits(const Lessons& lessons, std::size_t top) {
    std::string text;
    std::size_t shown = 0;
    for (auto const& [name, l] : lessons.servers()) {
        if (!l->connections.bad && !l->rate.bad &&
            !l->said.contains(Blame::messages_per_connection)) {
            continue;
        }
        if (shown++ == top) break;
        text += "  " + harmless(name) + "\n";
        for (auto const& line :
             {words(l->connections, "connections at once"), words(l->rate, "messages a minute")}) {
            text += line.empty() ? "" : "    " + line + "\n";
        }
        for (auto const blame : {Blame::connections, Blame::rate, Blame::messages_per_connection}) {
            if (auto const said = l->said.find(blame); said != l->said.end()) {
                text += fmt::format(
                    "    {} × {}\n", grouped(said->second.count), harmless(said->second.example));
            }
        }
    }
    return text;
}

Grid view_replies(const Lessons& lessons, std::size_t top) {
    struct Row {
        std::string server;
        Blame blame;
        const Said* said;
    };
    std::vector<Row> rows;
    for (auto const& [name, l] : lessons.servers()) {
        for (auto const& [blame, said] : l->said) {
            rows.push_back({name, blame, &said});
        }
    }
    std::ranges::sort(rows, [](auto const& l, auto const& r) {
        return std::tie(r.said->count, l.server, l.blame) <
               std::tie(l.said->count, r.server, r.blame);
    });
    Grid grid;
    grid.column("SERVER", Grid::Fit::shrinks);
    grid.column("REFUSED", Grid::Fit::right);
    grid.column("WHAT IT IS ABOUT");
    grid.column("LAST");
    grid.column("LAST REPLY", Grid::Fit::shrinks);
    for (std::size_t i = 0; i < rows.size() && i < top; ++i) {
        grid.row({rows[i].server,
                  grouped(rows[i].said->count),
                  std::string(advice(rows[i].blame)),
                  clock(rows[i].said->last).substr(0, 16),
                  rows[i].said->example});
    }
    return grid;
}

json::object value_of(const Said& said, std::string_view blame) {
    return {{"blame", blame},
            {"count", said.count},
            {"last", clock(said.last, "T")},
            {"example", harmless(said.example)}};
}

json::object value_of(const Interval& i) {
    json::object o;
    if (i.good) o["good"] = *i.good;
    if (i.bad) o["bad"] = *i.bad;
    return o;
}

json::object value_of(const Learned::Peak& p) {
    return {{"at", clock(p.at, "T")}, {"messages", p.messages}};
}

json::array value_of(const std::vector<Lessons::Named>& all) {
    json::array list;
    for (auto const& [name, l] : all) {
        json::object o{{"name", harmless(name)},
                       {"messages", l->messages},
                       {"sent", l->sent},
                       {"deferred", l->deferred},
                       {"bounced", l->bounced},
                       {"suspended", l->suspended}};
        if (l->minute.messages > 0) {
            o["busiest_hour"] = value_of(l->hour);
            o["busiest_minute"] = value_of(l->minute);
        }
        json::array days;
        for (auto const& [day, sums] : l->days) {
            days.push_back({{"date", date(day)},
                            {"sent", sums.sent},
                            {"deferred", sums.deferred},
                            {"bounced", sums.bounced}});
        }
        o["days"] = std::move(days);
        json::array replies;
        for (auto const& [blame, said] : l->said) {
            replies.push_back(value_of(said, to_string(blame)));
        }
        if (l->silent.count > 0) replies.push_back(value_of(l->silent, "no-reply"));
        o["replies"] = std::move(replies);
        o["connections"] = value_of(l->connections);
        o["messages_per_minute"] = value_of(l->rate);
        if (!l->hosts.empty()) {
            json::array hosts;
            for (auto const& host : l->hosts) {
                hosts.emplace_back(harmless(host));
            }
            o["hosts"] = std::move(hosts);
        }
        list.push_back(std::move(o));
    }
    return list;
}

}  // namespace

std::string view_lessons(const Lessons& lessons,
                         const LearnedFrom& from,
                         std::size_t top,
                         const Style& style) {
    auto const sums = lessons.sums();
    auto const all = lessons.destinations();
    auto text = fmt::format("{} of {}, {} to {}: {} to {}\n\n",
                            count_of(from.lines, "line"),
                            count_of(from.files.size(), "file"),
                            clock(sums.from),
                            clock(sums.to),
                            count_of(sums.attempts, "attempt"),
                            count_of(all.size(), "destination"));
    Grid grid;
    grid.column("DESTINATION", Grid::Fit::shrinks);
    for (auto const* title : {"SENT", "DEFERRED", "BOUNCED", "BUSIEST DAY"}) {
        grid.column(title, Grid::Fit::right);
    }
    grid.column("BUSIEST HOUR");
    grid.column("BUSIEST MINUTE");
    for (std::size_t i = 0; i < all.size() && i < top; ++i) {
        auto const& l = *all[i].learned;
        grid.row({all[i].name,
                  grouped(l.sent),
                  grouped(l.deferred),
                  grouped(l.bounced),
                  grouped(busiest_day(l)),
                  peak(l.hour),
                  peak(l.minute)});
    }
    text += grid.text(style);
    if (all.size() > top) {
        text += fmt::format("… and {} more: --top N shows more, --json all of them\n",
                            grouped(all.size() - top));
    }
    if (sums.left_out > 0) {
        text += fmt::format("left out, at the smallest destinations: {}\n",
                            count_of(sums.left_out, "recipient"));
    }
    auto const limits = view_limits(lessons, top);
    text += "\nlimits that servers spoke of\n" + (limits.empty() ? "  none\n" : limits);
    auto const replies = view_replies(lessons, top);
    if (!replies.empty()) {
        text += "\nwhat was refused\n" + replies.text(style, 2);
    }
    return text;
}

json::object lessons_as_json(const Lessons& lessons, const LearnedFrom& from) {
    auto const sums = lessons.sums();
    json::object o{{"format", "millrace-learn-1"}};
    json::array files;
    for (auto const& file : from.files) {
        files.emplace_back(harmless(file));
    }
    o["files"] = std::move(files);
    o["lines"] = from.lines;
    o["bytes"] = from.bytes;
    o["from"] = clock(sums.from, "T");
    o["to"] = clock(sums.to, "T");
    o["attempts"] = sums.attempts;
    o["left_out"] = sums.left_out;
    o["destinations"] = value_of(lessons.destinations());
    o["servers"] = value_of(lessons.servers());
    return o;
}

}  // namespace millrace::relay
