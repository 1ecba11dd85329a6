#include <algorithm>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/views.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view destinations_help =
    "usage: millrace destinations [NAME] [--sites] [--all] [--json]\n"
    "       millrace destinations --split SITE | --join SITE\n\n"
    "Where mail goes: a row for each of our addresses towards each receiver (the provider: what\n"
    "runs several sites on the same machines counts as one), the most queued first.\n\n"
    "  STATE   sending   connections are open\n"
    "          blocked   the receiver refuses us, or a domain of ours; since when and why: WHY\n"
    "          resting   it said too fast, or too many; that is kept to\n"
    "          waiting   put off to a later attempt, or a limit says wait\n"
    "          paused    the receiver cannot be reached, or asked for a pause; or an operator:\n"
    "                    millrace pause\n"
    "          held      by an operator: millrace release --destination NAME\n"
    "          idle      nothing is due\n"
    "  OPEN    connections, of those that are allowed now\n"
    "  RATE    messages it took in the last minute\n"
    "  WHY     what holds it up, or else what limits it and how that is known, or its last reply\n\n"
    "--sites: each destination beneath. --all: also receivers without mail of which something is\n"
    "known. NAME, a provider, site or destination: everything about that one: every limit with the\n"
    "reply that taught it, and why its sites count as one.\n\n"
    "--split: the site is a receiver of its own from now on, with limits of its own to be found,\n"
    "when what counts as one turns out to be two. --join takes that back.\n\n"
    "--json: an object for each row, with `destinations`, `allowances` and `evidence` as lists.\n\n"
    "examples:\n"
    "  millrace destinations\n"
    "  millrace destinations google\n"
    "  millrace destinations --split mx.shop.example\n"
    "  millrace destinations --json | jq 'select(.state == \"blocked\") | .cause'\n"
    "  watch -n 5 millrace destinations\n";

bool named(const boost::json::object& provider, const std::string& name) {
    if (text_of(provider, "provider") == name) return true;
    for (auto const& site : list_of(provider, "sites")) {
        if (site.is_string() && std::string_view(site.get_string()) == name) return true;
    }
    for (auto const& d : list_of(provider, "destinations")) {
        if (d.is_object() && text_of(d.get_object(), "destination") == name) return true;
    }
    return false;
}

/// Two receivers that counted as one, or one that was taken for two.
int divide(const Session& session, std::string_view verb, const std::string& site) {
    auto const answer = ask_relay(session, {{"command", verb}, {"name", site}});
    if (!answer) {
        return complain(answer.error());
    }
    fmt::print("{}\n",
               verb == "split"
                   ? fmt::format("{} is a receiver of its own now; back: millrace destinations --join {}",
                                 site,
                                 site)
                   : fmt::format("whose {} is will be found out anew", site));
    return config::exit_done;
}

int run_destinations(const Session& session, const Arguments& arguments) {
    for (std::string const verb : {"split", "join"}) {
        auto const site = arguments.value("--" + verb);
        if (!site.empty()) return divide(session, verb, site);
    }
    if (arguments.words.size() > 1) {
        return complain_usage("destinations", "it takes one name at most");
    }
    auto answer = ask_relay(session, {{"command", "providers"}});
    if (!answer) {
        return complain(answer.error());
    }
    auto& items = answer->items;
    bool const one = !arguments.words.empty();
    if (one) {
        auto const& name = arguments.words.front();
        std::erase_if(items, [&](auto const& item) { return !named(item, name); });
        if (items.empty()) {
            return complain(Failure{
                Fault::not_found,
                fmt::format("no mail waits for {}, and nothing has been learned of it", name)});
        }
    }
    if (session.json) {
        for (auto const& item : items) {
            fmt::print("{}\n", boost::json::serialize(item));
        }
        return config::exit_done;
    }
    if (one) {
        for (auto const& item : items) {
            fmt::print("{}", view_provider(item, session.now, session.style));
        }
        return config::exit_done;
    }
    auto const text = view_providers(
        items, arguments.has("--sites"), arguments.has("--all"), session.now, session.style);
    fmt::print("{}", text.empty() ? "no destination has mail waiting\n" : text);
    return config::exit_done;
}

std::string name_of(const boost::json::object& p) {
    auto const source = text_of(p, "source");
    auto const name = text_of(p, "provider");
    return (source.empty() ? "" : source + " → ") + (name.empty() ? "(not known yet)" : name);
}

/// `39/s`, `12/min`.
std::string rate_text(const boost::json::object& p) {
    auto const* const value = p.if_contains("rate");
    auto const rate = value != nullptr && value->is_number() ? value->to_number<double>() : 0;
    if (rate <= 0) return "-";
    return rate >= 1 ? fmt::format("{:.3g}/s", rate) : fmt::format("{:.2g}/min", rate * 60);
}

std::string why_text(const boost::json::object& p) {
    if (auto cause = text_of(p, "cause"); !cause.empty()) return cause;
    for (auto const& value : list_of(p, "allowances")) {
        auto const* const a = value.if_object();
        if (a != nullptr && text_of(*a, "from") == "learned") return text_of(*a, "text");
    }
    return text_of(p, "last_reply");
}

bool rests(const boost::json::object& p) {
    return number_of(p, "queued") + number_of(p, "held") + number_of(p, "connections") == 0 &&
           text_of(p, "state") != "blocked";
}

}  // namespace

std::string view_providers(std::span<const boost::json::object> providers,
                           bool sites,
                           bool all,
                           Time now,
                           const Style& style) {
    Grid grid;
    grid.column("RECEIVER", Grid::Fit::shrinks);
    grid.column("STATE");
    grid.column("UNTIL");
    grid.column("OPEN", Grid::Fit::right);
    grid.column("RATE", Grid::Fit::right);
    grid.column("QUEUED", Grid::Fit::right);
    grid.column("OLDEST", Grid::Fit::right);
    grid.column("WHY", Grid::Fit::shrinks);
    for (auto const& p : providers) {
        if (!all && rests(p)) continue;
        auto const until = time_of(p, "until");
        auto const allowed = number_of(p, "connections_allowed");
        grid.row({name_of(p),
                  text_of(p, "state"),
                  until ? ahead(until, now) : "-",
                  allowed == 0 ? "-" : fmt::format("{}/{}", number_of(p, "connections"), allowed),
                  rate_text(p),
                  grouped(number_of(p, "queued") + number_of(p, "held")),
                  age(time_of(p, "oldest"), now),
                  why_text(p)});
        if (!sites) continue;
        for (auto const& value : list_of(p, "destinations")) {
            auto const* const d = value.if_object();
            if (d == nullptr) continue;
            auto const end = time_of(*d, "until");
            auto const next = end ? end : time_of(*d, "next_due");
            auto const why = text_of(*d, "why");
            grid.row({"  " + text_of(*d, "destination"),
                      text_of(*d, "state"),
                      ahead(next, now),
                      std::to_string(number_of(*d, "connections")),
                      "",
                      grouped(number_of(*d, "queued") + number_of(*d, "held")),
                      age(time_of(*d, "oldest"), now),
                      why.empty() ? text_of(*d, "last_reply") : why});
        }
    }
    return grid.empty() ? "" : grid.text(style);
}

std::string view_provider(const boost::json::object& p, Time now, const Style& style) {
    auto text = paint(style, Colour::bold, harmless(name_of(p))) + "  " +
                harmless(text_of(p, "state")) + "\n";
    auto const line = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) text += fmt::format("  {:<14} {}\n", key, harmless(value));
    };
    auto const until = time_of(p, "until");
    line("why", text_of(p, "cause") + (until ? ", until " + to_rfc3339(*until) : ""));
    line("queued",
         fmt::format("{}, {} held, the oldest for {}",
                     count_of(number_of(p, "queued"), "recipient"),
                     number_of(p, "held"),
                     age(time_of(p, "oldest"), now)));
    line("open",
         fmt::format("{} of {} allowed now",
                     count_of(number_of(p, "connections"), "connection"),
                     number_of(p, "connections_allowed")));
    line("last minute", rate_text(p));
    for (auto const& value : list_of(p, "allowances")) {
        if (auto const* const a = value.if_object()) line(text_of(*a, "what"), text_of(*a, "text"));
    }
    if (auto const reply = text_of(p, "last_reply"); !reply.empty()) {
        auto const host = text_of(p, "last_host");
        line("last reply", (host.empty() ? "" : host + ": ") + reply);
    }
    for (auto const& site : list_of(p, "sites")) {
        if (site.is_string()) line("site", std::string(std::string_view(site.get_string())));
    }
    for (auto const& why : list_of(p, "evidence")) {
        if (why.is_string()) line("one because", std::string(std::string_view(why.get_string())));
    }
    Grid grid;
    grid.column("DESTINATION", Grid::Fit::shrinks);
    grid.column("STATE");
    grid.column("QUEUED", Grid::Fit::right);
    grid.column("HELD", Grid::Fit::right);
    grid.column("OLDEST", Grid::Fit::right);
    grid.column("NEXT");
    grid.column("WHY", Grid::Fit::shrinks);
    for (auto const& value : list_of(p, "destinations")) {
        auto const* const d = value.if_object();
        if (d == nullptr) continue;
        auto const end = time_of(*d, "until");
        auto const why = text_of(*d, "why");
        grid.row({text_of(*d, "destination"),
                  text_of(*d, "state"),
                  grouped(number_of(*d, "queued")),
                  grouped(number_of(*d, "held")),
                  age(time_of(*d, "oldest"), now),
                  ahead(end ? end : time_of(*d, "next_due"), now),
                  why.empty() ? text_of(*d, "last_reply") : why});
    }
    return text + (grid.empty() ? "" : grid.text(style, 2));
}

Command destinations_command() {
    return {"destinations",
            "where mail goes: how fast, how much waits, and why",
            destinations_help,
            {{"--sites", false}, {"--all", false}, {"--split", true}, {"--join", true}},
            run_destinations};
}

}  // namespace millrace::relay
