// The whole relay in virtual time: see README.md.

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "common/base/planted.hpp"
#include "tests/seeds/seed_runner.hpp"
#include "tests/sim/day.hpp"

namespace millrace::sim {
namespace {

struct Options {
    std::uint64_t first = 1;
    std::uint64_t seeds = 200;
    unsigned jobs = 2;
    std::string plant;
    bool verbose = false;
    bool one = false;
    bool first_failure = false;  ///< stop at the first one: enough for a planted bug
};

struct Totals {
    std::uint64_t days = 0, counting = 0, failed = 0, replayed = 0;
    std::uint64_t accepted = 0, refused = 0, unknown = 0, taken = 0, duplicates = 0, hours = 0;
    std::map<std::string, std::uint64_t> faults;
};

constexpr std::uint64_t chunk = 20;         // seeds of one process: what they leave goes with it
constexpr std::uint64_t replay_every = 25;  // a sample runs twice and must give the same hash

int usage() {
    std::fprintf(stderr,
                 "sim [--seeds N] [--first S] [--seed S] [--jobs N] [--plant NAME] [--stop] "
                 "[--verbose]\n");
    return 64;
}

/// One seed per line, for the parent.
void run_chunk(const Options& options, std::uint64_t from, std::uint64_t to, FILE* lines) {
    for (std::uint64_t seed = from; seed < to; ++seed) {
        std::fprintf(lines, "begin %" PRIu64 "\n", seed);
        std::fflush(lines);
        const DayResult day = run_day(seed, options.verbose);
        auto violations = day.violations;
        const bool again = options.one || seed % replay_every == 0;
        if (again && run_day(seed, false).hash != day.hash) {
            violations.push_back("the same seed led to another day");
        }
        for (const std::string& violation : violations) {
            std::fprintf(lines, "bad %s\n", violation.c_str());
        }
        for (const auto& [name, times] : day.faults) {
            std::fprintf(lines, "fault %s %" PRIu64 "\n", name.c_str(), times);
        }
        std::fprintf(lines,
                     "day %" PRIu64 " %016" PRIx64 " %d %" PRIu64 " %" PRIu64 " %" PRIu64
                     " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                     seed,
                     day.hash,
                     again ? 1 : 0,
                     day.accepted,
                     day.refused,
                     day.unknown,
                     day.taken,
                     day.excused_duplicates,
                     day.hours);
        std::fflush(lines);
        if (options.first_failure && !violations.empty()) break;
    }
}

/// What a worker said, and how it ended; returns the seed it died in, or zero.
std::uint64_t account(const std::string& text, int status, const Options& options, Totals& totals) {
    std::istringstream lines(text);
    std::string line, seed = "?";
    std::vector<std::string> bad;
    std::uint64_t faults = 0;
    bool open = false;
    const std::string plant = options.plant.empty() ? "" : " --plant " + options.plant;
    auto report = [&] {
        if (bad.empty()) return;
        ++totals.failed;
        std::printf("FAILED seed %s: sim --seed %s%s --verbose\n",
                    seed.c_str(),
                    seed.c_str(),
                    plant.c_str());
        for (std::size_t i = 0; i < bad.size() && i < 8; ++i) {
            std::printf("    %s\n", bad[i].c_str());
        }
        if (bad.size() > 8) std::printf("    … and %zu more\n", bad.size() - 8);
    };
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind == "begin") {
            words >> seed;
            bad.clear();
            faults = 0;
            open = true;
        } else if (kind == "bad") {
            bad.push_back(line.substr(4));
        } else if (kind == "fault") {
            std::string name;
            std::uint64_t times = 0;
            words >> name >> times;
            totals.faults[name] += times;
            faults += times;
        } else if (kind == "day") {
            std::string hash;
            std::uint64_t again = 0, accepted = 0, refused = 0, unknown = 0, taken = 0, doubles = 0,
                          hours = 0;
            words >> seed >> hash >> again >> accepted >> refused >> unknown >> taken >> doubles >>
                hours;
            ++totals.days;
            totals.counting += faults > 0;
            totals.replayed += again;
            totals.accepted += accepted;
            totals.refused += refused;
            totals.unknown += unknown;
            totals.taken += taken;
            totals.duplicates += doubles;
            totals.hours += hours;
            if (options.one) std::printf("seed %s hash %s\n", seed.c_str(), hash.c_str());
            report();
            open = false;
        }
    }
    if (open) {
        ++totals.days;
        bad.push_back(death_of(status));
        report();
        return std::strtoull(seed.c_str(), nullptr, 10);
    }
    return 0;
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
        [&] { return options.first_failure && totals.failed > 0; });
    return totals;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--verbose") {
            options.verbose = true;
            continue;
        }
        if (name == "--stop") {
            options.first_failure = true;
            continue;
        }
        if (i + 1 == argc) return false;
        const char* const value = argv[++i];
        const std::uint64_t number = std::strtoull(value, nullptr, 10);
        if (name == "--seeds") {
            options.seeds = number;
        } else if (name == "--first") {
            options.first = number;
        } else if (name == "--seed") {
            options.first = number;
            options.seeds = 1;
            options.one = true;
        } else if (name == "--jobs") {
            options.jobs = static_cast<unsigned>(std::max<std::uint64_t>(1, number));
        } else if (name == "--plant") {
            options.plant = value;
        } else {
            return false;
        }
    }
    return true;
}

int main_of(int argc, char** argv) {
    Options options;
    if (!parse(argc, argv, options)) return usage();
    if (!options.plant.empty()) {
#ifdef MILLRACE_PLANTED
        set_planted(options.plant);
#else
        std::fprintf(stderr, "this program has no planted bugs: run sim_planted\n");
        return 64;
#endif
    }
    const Totals t = run_all(options);
    for (const auto& [name, times] : t.faults) {
        std::printf("%9" PRIu64 "  %s\n", times, name.c_str());
    }
    std::printf("%" PRIu64 " days, %" PRIu64 " of them with faults, %" PRIu64
                " virtual hours; %" PRIu64 " replayed with the same hash\n",
                t.days,
                t.counting,
                t.hours,
                t.replayed);
    std::printf("messages: %" PRIu64 " accepted, %" PRIu64 " refused, %" PRIu64
                " unanswered; %" PRIu64 " taken by receivers, %" PRIu64
                " of them again because a 250 was lost\n",
                t.accepted,
                t.refused,
                t.unknown,
                t.taken,
                t.duplicates);
    std::printf("%" PRIu64 " passed, %" PRIu64 " failed\n", t.days - t.failed, t.failed);
    return t.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace millrace::sim

int main(int argc, char** argv) {
    return millrace::sim::main_of(argc, argv);
}
