// The scheduler in virtual time against receivers with hidden limits: see README.md.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <sstream>

#include "common/base/planted.hpp"
#include "tests/days/referee.hpp"
#include "tests/seeds/seed_runner.hpp"

namespace millrace::days {
namespace {

struct Options {
    std::uint64_t first = 1, seeds = 200;
    unsigned jobs = 2;
    std::string plant, kind;
    bool verbose = false;
    bool stop = false;  ///< at the first failure: enough for a planted bug
};

struct Kind {
    std::uint64_t days = 0, mail = 0, delivered = 0, refused = 0, connections = 0, punished = 0;
    double ratio = 0, worst = 1e9;
    unsigned minute = 0;
};

constexpr std::uint64_t chunk = 25;
constexpr std::uint64_t replay_every = 50;  ///< a sample runs twice and must be the same
constexpr std::uint64_t events_most = 20'000'000;

struct Outcome {
    std::uint64_t hash = 14695981039346656037ULL;
    std::vector<std::string> violations;
    std::vector<Referee::Tally> tallies;
    std::vector<std::string> kinds;
    std::uint64_t events = 0;
};

void describe(const World& world) {
    for (std::size_t i = 0; i < world.parties.size(); ++i) {
        auto const& l = world.setup.receivers[i].second;
        std::printf(
            "r%zu %s: %u connections, %.4g/s (burst %.3g), %u per %s%s, %u a connection, domain "
            "%.4g/s (%.3g), greylist %s, "
            "message %s, reply %s%s%s, punishes after %u; mail %" PRIu64
            ", sites %zu, domains %zu\n",
            i,
            world.parties[i].kind.c_str(),
            l.connections,
            l.messages_per_second,
            l.burst,
            l.messages_per_window,
            to_human(l.window).c_str(),
            l.sliding ? " sliding" : "",
            l.messages_per_connection,
            l.sender_domain_per_second,
            l.sender_domain_burst,
            to_human(l.greylist).c_str(),
            to_human(l.message).c_str(),
            to_human(l.reply).c_str(),
            l.silent ? " silent" : "",
            l.asks_for_rest ? " asks for rest" : "",
            l.punish_after,
            world.parties[i].mail,
            world.parties[i].sites.size(),
            world.parties[i].domains.size());
    }
    auto const& s = world.setup.limits.per_site;
    std::printf(
        "configured: %u connections, %.3g messages/s, %.3g connections/s, %u a connection, %u in "
        "total; %s long\n",
        s.connections,
        s.messages_per_second,
        s.connections_per_second,
        s.messages_per_connection,
        world.setup.limits.connections_total,
        to_human(world.length).c_str());
    for (auto const& c : world.setup.changes) {
        std::printf("%s r%zu: %u connections, %.4g/s, %s%s\n",
                    to_rfc3339(c.at).substr(8, 15).c_str(),
                    c.receiver,
                    c.limits.connections,
                    c.limits.messages_per_second,
                    c.limits.down ? "down" : "up",
                    c.limits.block == Blame::none
                        ? ""
                        : (" " + std::string(to_string(c.limits.block))).c_str());
    }
    for (auto const& r : world.setup.restarts) {
        std::printf("%s restart%s, away %s\n",
                    to_rfc3339(r.at).substr(8, 15).c_str(),
                    r.crash ? " after a crash" : "",
                    to_human(r.away).c_str());
    }
}

Outcome run_day(std::uint64_t seed, const Options& options, bool verbose) {
    Outcome out;
    auto const world = draw(seed, options.kind);
    if (verbose) describe(world);
    Rehearsal day(world.setup);
    Referee referee(world, day);
    std::map<std::size_t, std::pair<Time, std::uint64_t>> told;
    day.on_contact = [&](const Contact& c) {
        referee.saw(c);
        auto const mix = [&](std::uint64_t v) {
            out.hash = (out.hash ^ v) * 1099511628211ULL;
        };
        mix(static_cast<std::uint64_t>(c.at.time_since_epoch().count()));
        mix(c.receiver * 4 + (c.message ? 2 : 0) + (c.refusal.any() ? 1 : 0));
        if (!verbose) return;
        if (c.refusal.any() && c.refusal.meant != Blame::greylist) {
            std::printf("%s r%zu %-10s message %u, %u standing: %u %s %s%s\n",
                        to_rfc3339(c.at).substr(8, 15).c_str(),
                        c.receiver,
                        c.message ? c.stream.sender_domain.c_str() : "connect",
                        c.use,
                        c.standing,
                        c.refusal.code,
                        c.refusal.enhanced.c_str(),
                        c.refusal.text.c_str(),
                        c.refusal.gone ? "unreachable" : "");
        }
        auto& [at, count] = told[c.receiver];
        if (c.at - at > std::chrono::minutes(10)) {
            auto const accepted = day.receiver(c.receiver).accepted();
            std::string knobs;
            for (auto const& [name, state] : day.scheduler().shares()) {
                knobs += fmt::format(" [{}: pace {:.4g} conn good {} bad {} per {}]",
                                     name,
                                     state.share.messages().learned().pace,
                                     state.share.connections().learned().good,
                                     state.share.connections().learned().bad,
                                     state.share.uses().learned().limit);
            }
            if (day.scheduler().shares().size() > 4) knobs = " (many shares)";
            std::printf("%s r%zu %.4f/s%s\n",
                        to_rfc3339(c.at).substr(8, 15).c_str(),
                        c.receiver,
                        static_cast<double>(accepted - count) /
                            std::chrono::duration<double>(c.at - at).count(),
                        knobs.c_str());
            at = c.at;
            count = accepted;
        }
    };
    day.on_restart = [&](Time at) {
        if (verbose) std::printf("%s started again\n", to_rfc3339(at).substr(8, 15).c_str());
    };
    bool const through = day.run(events_most);
    referee.judge();
    out.violations = referee.violations();
    if (!through) out.violations.push_back(fmt::format("{} events and no end", events_most));
    out.tallies = referee.tallies();
    for (auto const& party : world.parties)
        out.kinds.push_back(party.kind);
    out.events = day.events();
    return out;
}

void run_chunk(const Options& options, std::uint64_t from, std::uint64_t to, FILE* lines) {
    for (auto seed = from; seed < to; ++seed) {
        std::fprintf(lines, "begin %" PRIu64 "\n", seed);
        std::fflush(lines);
        auto out = run_day(seed, options, options.verbose);
        if (seed % replay_every == 0 && run_day(seed, options, false).hash != out.hash) {
            out.violations.push_back("the same seed led to another day");
        }
        for (auto const& v : out.violations)
            std::fprintf(lines, "bad %s\n", v.c_str());
        for (std::size_t i = 0; i < out.tallies.size(); ++i) {
            auto const& t = out.tallies[i];
            std::fprintf(lines,
                         "kind %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %u %u %.4f\n",
                         out.kinds[i].c_str(),
                         t.mail,
                         t.delivered,
                         t.refused,
                         t.connections,
                         t.punished,
                         t.most_in_a_minute,
                         t.ratio());
        }
        std::fprintf(lines, "day %" PRIu64 "\n", out.events);
        std::fflush(lines);
    }
}

struct Totals {
    std::map<std::string, Kind> kinds;
    std::uint64_t days = 0, failed = 0, events = 0;
};

/// What a worker said; the seed it died in, or zero.
std::uint64_t account(const std::string& text, int status, const Options& options, Totals& totals) {
    std::istringstream lines(text);
    std::string line, seed;
    std::vector<std::string> bad, kinds;
    bool open = false;
    auto const report = [&] {
        ++totals.days;
        if (bad.empty()) return;
        ++totals.failed;
        std::printf("FAILED seed %s (", seed.c_str());
        for (auto const& kind : kinds)
            std::printf("%s%s", &kind == &kinds.front() ? "" : ", ", kind.c_str());
        std::printf("): days --seed %s%s%s --verbose\n",
                    seed.c_str(),
                    options.plant.empty() ? "" : " --plant ",
                    options.plant.c_str());
        for (std::size_t i = 0; i < bad.size() && i < 4; ++i)
            std::printf("    %s\n", bad[i].c_str());
        if (bad.size() > 4) std::printf("    … and %zu more\n", bad.size() - 4);
    };
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string what;
        words >> what;
        if (what == "begin") {
            words >> seed;
            bad.clear();
            kinds.clear();
            open = true;
        } else if (what == "bad") {
            bad.push_back(line.substr(4));
        } else if (what == "kind") {
            std::string name;
            std::uint64_t mail = 0, delivered = 0, refused = 0, connections = 0;
            unsigned punished = 0, minute = 0;
            double ratio = 0;
            words >> name >> mail >> delivered >> refused >> connections >> punished >> minute >>
                ratio;
            kinds.push_back(name);
            auto& kind = totals.kinds[name];
            ++kind.days;
            kind.mail += mail;
            kind.delivered += delivered;
            kind.refused += refused;
            kind.connections += connections;
            kind.punished += punished;
            kind.minute = std::max(kind.minute, minute);
            kind.ratio += std::min(ratio, 1.0);
            kind.worst = std::min(kind.worst, ratio);
        } else if (what == "day") {
            std::uint64_t events = 0;
            words >> events;
            totals.events += events;
            report();
            open = false;
        }
    }
    if (!open) return 0;
    bad.push_back(death_of(status));
    report();
    return std::strtoull(seed.c_str(), nullptr, 10);
}

Totals run_all(const Options& options) {
    Totals totals;
    run_seeds(
        {options.first, options.seeds, chunk, options.jobs},
        [&](std::uint64_t from, std::uint64_t to, FILE* lines) {
            run_chunk(options, from, to, lines);
        },
        [&](const std::string& text, int status) {
            return account(text, status, options, totals);
        },
        [&] { return options.stop && totals.failed > 0; });
    return totals;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        std::string const name = argv[i];
        if (name == "--verbose" || name == "--stop") {
            (name == "--stop" ? options.stop : options.verbose) = true;
            continue;
        }
        if (i + 1 == argc) return false;
        char const* const value = argv[++i];
        auto const number = std::strtoull(value, nullptr, 10);
        if (name == "--seeds") {
            options.seeds = number;
        } else if (name == "--first") {
            options.first = number;
        } else if (name == "--seed") {
            options.first = number;
            options.seeds = 1;
        } else if (name == "--jobs") {
            options.jobs = static_cast<unsigned>(std::max<std::uint64_t>(1, number));
        } else if (name == "--plant") {
            options.plant = value;
        } else if (name == "--kind") {
            options.kind = value;
        } else {
            return false;
        }
    }
    return true;
}

int main_of(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "days [--seeds N] [--first S] [--seed S] [--kind NAME] [--jobs N] [--plant "
                     "NAME] [--stop] [--verbose]\n");
        return 64;
    }
    if (!options.plant.empty()) {
#ifdef MILLRACE_PLANTED
        set_planted(options.plant);
#else
        std::fprintf(stderr, "this program has no planted bugs: run days_planted\n");
        return 64;
#endif
    }
    auto const totals = run_all(options);
    std::printf("%-14s %6s %9s %9s %8s %8s %8s %7s %6s %6s\n",
                "kind",
                "days",
                "mail",
                "through",
                "refused",
                "per mille",
                "connects",
                "of ideal",
                "worst",
                "minute");
    for (auto const& [name, k] : totals.kinds) {
        std::printf("%-14s %6" PRIu64 " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %8.2f %9" PRIu64
                    " %8.3f %6.2f %6u%s\n",
                    name.c_str(),
                    k.days,
                    k.mail,
                    k.delivered,
                    k.refused,
                    k.delivered == 0 ? 0
                                     : 1000.0 * static_cast<double>(k.refused) /
                                           static_cast<double>(k.delivered),
                    k.connections,
                    k.ratio / static_cast<double>(k.days),
                    k.worst,
                    k.minute,
                    k.punished > 0 ? fmt::format("  punished {} times", k.punished).c_str() : "");
    }
    std::printf("%" PRIu64 " events\n%" PRIu64 " passed, %" PRIu64 " failed\n",
                totals.events,
                totals.days - totals.failed,
                totals.failed);
    return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::days

int main(int argc, char** argv) {
    return millrace::days::main_of(argc, argv);
}
