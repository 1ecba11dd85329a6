#include <chrono>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/log_file.hpp"
#include "relay/rehearse/comparison.hpp"
#include "relay/rehearse/standing.hpp"
#include "relay/schedule/limits.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view simulate_help =
    "usage: millrace simulate EVENTS --config NEW [--against FILE] [--all] [--json]\n\n"
    "Yesterday's traffic under tomorrow's settings: rebuilds from EVENTS (what `millrace events\n"
    "--json` prints; gzip is read too, - is standard input) what mail came when, and what the\n"
    "receivers took; lets the relay's own scheduler deliver it once with the settings in force "
    "and\n"
    "once with those of NEW; and shows the difference. Nothing is sent, nothing is changed.\n\n"
    "  --config NEW    the settings to try\n"
    "  --against FILE  those in force (default /etc/millrace/millrace.conf)\n"
    "  --all           every destination; else the 20 that differ most\n\n"
    "What the relay has learned of the receivers is used when it can be reached. Where a receiver\n"
    "was never the one that was slow, nobody knows what more it would take: it is thought to take\n"
    "it. One source stands for all of yours; pools and warm-ups are not simulated.\n\n"
    "examples:\n"
    "  millrace events --since 1d --json > yesterday.jsonl\n"
    "  millrace simulate yesterday.jsonl --config new.conf\n"
    "  millrace simulate yesterday.jsonl -c new.conf --json | jq .total\n";

constexpr std::size_t rows_shown = 20;
constexpr auto silent_for = std::chrono::seconds(2);

std::optional<EventKind> kind_of(std::string_view word) {
    for (auto const kind : {EventKind::received,
                            EventKind::deferred,
                            EventKind::delivered,
                            EventKind::bounced,
                            EventKind::expired,
                            EventKind::complained,
                            EventKind::suppressed,
                            EventKind::removed}) {
        if (to_string(kind) == word) return kind;
    }
    return std::nullopt;
}

/// One line of the event log; none: it is something else.
std::optional<Event> event_of(std::string_view line) {
    boost::system::error_code bad;
    auto const value = boost::json::parse(boost::json::string_view(line.data(), line.size()), bad);
    if (bad || !value.is_object()) return std::nullopt;
    auto const& o = value.get_object();
    auto const kind = kind_of(text_of(o, "event"));
    auto const at = time_of(o, "timestamp");
    auto const id = MessageId::parse(text_of(o, "queue_id"));
    if (!kind || !at || !id) return std::nullopt;
    Event event;
    event.kind = *kind;
    event.at = *at;
    event.message = *id;
    event.recipient = text_of(o, "recipient");
    event.sender = text_of(o, "sender");
    event.account = text_of(o, "account");
    event.klass = text_of(o, "class");
    event.attempt = static_cast<std::uint16_t>(number_of(o, "attempt"));
    event.site = text_of(o, "site");
    event.provider = text_of(o, "provider");
    event.smtp_code = static_cast<std::uint16_t>(number_of(o, "smtp_code"));
    event.late = text_of(o, "type") == "rb";
    return event;
}

/// What is said on stderr when something takes long.
class Progress {
  public:
    void say(const std::string& what) {
        if (std::chrono::steady_clock::now() - began_ < silent_for || !stderr_is_terminal()) return;
        fmt::print(stderr, "\r{} …\x1b[K", what);
        said_ = true;
    }
    void clear() {
        if (std::exchange(said_, false)) fmt::print(stderr, "\r\x1b[K");
    }

  private:
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    bool said_ = false;
};

Result<Traffic> read_traffic(const std::string& path, Progress& progress) {
    Traffic traffic;
    std::uint64_t number = 0, wrong = 0, first_wrong = 0;
    auto const read = read_log_file(
        path,
        [&](std::string_view line) {
            ++number;
            if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
            if (auto const event = event_of(line)) {
                traffic.take(*event);
            } else if (wrong++ == 0) {
                first_wrong = number;
            }
        },
        [&](std::uint64_t bytes) { progress.say(short_size(bytes) + " read"); });
    if (!read) return std::unexpected(read.error());
    if (traffic.empty()) {
        return failure(Fault::invalid,
                       fmt::format("{}: there are no events of mail in it; millrace events --since "
                                   "1d --json writes some",
                                   path));
    }
    if (wrong > 0) {
        progress.clear();
        fmt::print(stderr,
                   "millrace: {}:{}: not an event; {} left out\n",
                   path,
                   first_wrong,
                   count_of(wrong, "line"));
    }
    if (traffic.left_out() > 0) {
        progress.clear();
        fmt::print(stderr,
                   "millrace: {}: the first {} recipients are taken, {} are left out\n",
                   path,
                   grouped(Traffic::recipients_most),
                   grouped(traffic.left_out()));
    }
    return traffic;
}

Result<Conduct> conduct_of(const config::Settings& settings) {
    auto const& relay = settings.relay;
    auto book = RuleBook::compile(relay.shaping_rules, ceilings_of(relay.delivery));
    if (!book) return std::unexpected(book.error());
    Conduct c;
    c.limits = limits_of(relay, **book);
    // The events do not tell what each source was allowed: one stands for all of them.
    c.limits.sources = {};
    c.retry = {relay.delivery.retry, relay.delivery.expire_after};
    c.idle_connection = relay.delivery.idle_connection;
    c.rules = *std::move(book);
    return c;
}

/// What the relay knows of the receivers; nothing when it is not there.
std::map<std::string, Belief> learned(const Session& session, const config::Settings& settings) {
    std::map<std::string, Belief> beliefs;
    auto const path = session.socket.empty() ? settings.relay.control_socket : session.socket;
    auto client = Client::connect(path);
    if (!client) return beliefs;
    Standing standing;
    auto const end = client->ask({{"command", "standing"}}, [&](const boost::json::object& item) {
        return take_item(standing, item).has_value();
    });
    if (!end) return beliefs;
    take_end(standing, *end);
    for (auto const& share : standing.shares) {
        beliefs.emplace(
            share.provider,
            Belief(
                share.source, share.provider, share.note, standing.limits.per_site, standing.now));
    }
    return beliefs;
}

std::string span(Duration d) {
    using std::chrono::milliseconds;
    return d < std::chrono::seconds(10) ? to_human(std::chrono::floor<milliseconds>(d))
                                        : to_human(std::chrono::floor<std::chrono::seconds>(d));
}

std::string change(double before, double after) {
    if (before == after) return "=";
    if (before <= 0) return "new";
    auto const percent = 100 * (after - before) / before;
    return percent >= 0 ? fmt::format("+{:.0f}%", percent) : fmt::format("{:.0f}%", percent);
}

std::string view(const Comparison& c, std::size_t rows_most, const Style& style) {
    auto const& [name, now, then] = c.total;
    Grid sums;
    sums.column("");
    sums.column("CURRENT", Grid::Fit::right);
    sums.column("PROPOSED", Grid::Fit::right);
    sums.column("CHANGE", Grid::Fit::right);
    auto const count = [&](const std::string& what, std::uint64_t l, std::uint64_t r) {
        sums.row(
            {what, grouped(l), grouped(r), change(static_cast<double>(l), static_cast<double>(r))});
    };
    auto const time = [&](const std::string& what, Duration l, Duration r) {
        sums.row({what,
                  span(l),
                  span(r),
                  change(static_cast<double>(l.count()), static_cast<double>(r.count()))});
    };
    auto const length = [&](const Fared& f) {
        return f.finish == Time{} ? Duration::zero() : f.finish - c.begin;
    };
    count("delivered", now.delivered, then.delivered);
    count("delivered in the best hour", now.busiest_hour, then.busiest_hour);
    time("wait, median", now.median, then.median);
    time("wait, 99 of 100 within", now.p99, then.p99);
    count("refused for a limit", now.refusals, then.refusals);
    time("done after", length(now), length(then));
    auto text = fmt::format("{} from {}, rehearsed twice\n\n",
                            count_of(now.mail, "recipient"),
                            to_rfc3339(c.begin)) +
                sums.text(style) + "\n";
    Grid rows;
    rows.column("DESTINATION", Grid::Fit::shrinks);
    rows.column("MAIL", Grid::Fit::right);
    rows.column("MEDIAN", Grid::Fit::right);
    rows.column("→", Grid::Fit::right);
    rows.column("P99", Grid::Fit::right);
    rows.column("→", Grid::Fit::right);
    rows.column("REFUSED", Grid::Fit::right);
    rows.column("→", Grid::Fit::right);
    std::size_t shown = 0;
    for (auto const& row : c.rows) {
        if (shown++ == rows_most) break;
        rows.row({row.name,
                  grouped(row.current.mail),
                  span(row.current.median),
                  span(row.proposed.median),
                  span(row.current.p99),
                  span(row.proposed.p99),
                  grouped(row.current.refusals),
                  grouped(row.proposed.refusals)});
    }
    text += rows.text(style);
    if (c.rows.size() > rows_most) {
        text += fmt::format("… and {} that differ less: --all shows them\n",
                            count_of(c.rows.size() - rows_most, "destination"));
    }
    return text;
}

int run_simulate(const Session& session, const Arguments& arguments) {
    if (arguments.words.size() != 1) {
        return complain_usage("simulate", "which events? Give a file of millrace events --json");
    }
    if (arguments.value("--config").empty()) {
        return complain_usage("simulate", "which settings? Give --config NEW");
    }
    auto const against = arguments.value("--against");
    auto const proposed_settings = config::load(session.file, session.missing);
    if (!proposed_settings) return complain({Fault::corrupt, proposed_settings.error().detail});
    auto const current_settings =
        against.empty() ? config::load(config::default_file, config::Missing::means_defaults)
                        : config::load(against, config::Missing::is_error);
    if (!current_settings) return complain({Fault::corrupt, current_settings.error().detail});
    auto const current = conduct_of(**current_settings);
    if (!current) return complain({Fault::corrupt, current.error().detail});
    auto const proposed = conduct_of(**proposed_settings);
    if (!proposed) return complain({Fault::corrupt, proposed.error().detail});
    if (!(*current_settings)->relay.sources.empty() ||
        !(*proposed_settings)->relay.sources.empty()) {
        fmt::print(stderr,
                   "millrace: sources, pools and warm-ups are not simulated: the events do not tell "
                   "what each source was allowed, so one stands for all\n");
    }
    Progress progress;
    auto const traffic = read_traffic(arguments.words.front(), progress);
    if (!traffic) {
        progress.clear();
        return complain(traffic.error());
    }
    progress.say("rehearsing what is in force");
    auto const setup =
        traffic->setup(*current->rules, current->limits, learned(session, **current_settings));
    auto const compared =
        compare(setup, *current, *proposed, [&] { progress.say("rehearsing what is proposed"); });
    progress.clear();
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(to_json(compared)));
    } else {
        fmt::print(
            "{}",
            view(compared, arguments.has("--all") ? ~std::size_t{0} : rows_shown, session.style));
    }
    return config::exit_done;
}

}  // namespace

Command simulate_command() {
    return {"simulate",
            "past traffic under other settings",
            simulate_help,
            {{"--against", true}, {"--all", false}},
            run_simulate};
}

}  // namespace millrace::relay
