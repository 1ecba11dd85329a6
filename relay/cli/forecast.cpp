#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "relay/cli/command.hpp"
#include "relay/cli/forecast_view.hpp"
#include "relay/cli/log_file.hpp"

namespace millrace::relay {
namespace {

constexpr std::string_view forecast_help =
    "usage: millrace forecast [--queue | --domains FILE] [--all] [--json]\n\n"
    "When will it be delivered? The relay's own scheduler runs ahead in virtual time, from what "
    "is\n"
    "queued and from what was learned of the receivers, in 32 worlds that differ in what nobody\n"
    "knows. P10, P50, P90: done by then in one of ten of them, in half, in nine of ten. A warm-up\n"
    "is not in it: mail that waits for one takes longer.\n\n"
    "  --queue         what waits now (this is the default)\n"
    "  --domains FILE  if this list were handed in now, behind what waits: lines of a domain and "
    "a\n"
    "                  number, or addresses; gzip is read too, - is standard input\n"
    "  --all           every destination; else the 30 that take longest\n\n"
    "examples:\n"
    "  millrace forecast\n"
    "  cut -d, -f3 customers.csv | millrace forecast --domains -\n"
    "  millrace forecast --json | jq .total.p90_s\n";

constexpr std::size_t rows_shown = 30;
constexpr std::size_t looked_up_most = 500;
constexpr auto silent_for = std::chrono::seconds(2);

Result<DomainCounts> read_domains(const std::string& path) {
    DomainCounts counts;
    std::string wrong;
    std::uint64_t number = 0;
    auto const read = read_log_file(
        path,
        [&](std::string_view line) {
            ++number;
            auto const taken = take_domain_line(counts, line);
            if (!taken && wrong.empty()) {
                wrong = fmt::format("{}:{}: {}", path, number, taken.error().detail);
            }
        },
        [](std::uint64_t) {});
    if (!read) return std::unexpected(read.error());
    if (!wrong.empty()) return failure(Fault::invalid, wrong);
    if (counts.empty()) return failure(Fault::invalid, path + ": there is no domain in it");
    return counts;
}

/// The largest ones: the relay looks up where they lead.
boost::json::array largest(const DomainCounts& counts) {
    std::vector<std::pair<std::uint64_t, std::string>> all;
    for (auto const& [domain, count] : counts)
        all.emplace_back(count, domain);
    std::ranges::sort(all, std::greater<>());
    if (all.size() > looked_up_most) all.resize(looked_up_most);
    boost::json::array names;
    for (auto const& [count, domain] : all)
        names.emplace_back(domain);
    return names;
}

/// Queues the list behind what waits.
void hand_in(Standing& standing, const DomainCounts& counts) {
    std::map<std::string, const Standing::Queue*> known;
    for (auto const& queue : standing.queues) {
        if (!queue.site.empty()) known.emplace(parse_stream(queue.stream).destination, &queue);
    }
    std::vector<Standing::Queue> list;
    for (auto const& [domain, count] : counts) {
        Work work;
        work.destination = domain;
        work.klass = Class::bulk;
        work.sender_domain = "list.invalid";
        Standing::Queue queue;
        queue.stream = stream_name(work);
        queue.count = count;
        queue.next_due = queue.oldest = standing.now;
        if (auto const at = known.find(domain); at != known.end()) {
            queue.site = at->second->site;
            queue.provider = at->second->provider;
            queue.wait_until = at->second->wait_until;
            queue.why = at->second->why;
        }
        list.push_back(std::move(queue));
    }
    std::ranges::move(list, std::back_inserter(standing.queues));
    std::ranges::sort(standing.queues, {}, &Standing::Queue::stream);
}

Result<Standing> ask_standing(const Session& session, const DomainCounts& counts) {
    auto const answer = ask_relay(session, {{"command", "standing"}, {"more", largest(counts)}});
    if (!answer) return std::unexpected(answer.error());
    Standing standing;
    for (auto const& item : answer->items) {
        if (auto const taken = take_item(standing, item); !taken) {
            return std::unexpected(taken.error());
        }
    }
    take_end(standing, answer->end);
    hand_in(standing, counts);
    std::erase_if(standing.queues, [](auto const& q) { return q.count == 0 && q.held == 0; });
    return standing;
}

int run_forecast(const Session& session, const Arguments& arguments) {
    auto const file = arguments.value("--domains");
    if (!arguments.words.empty()) {
        return complain_usage("forecast", "it takes no name; a list is given with --domains FILE");
    }
    if (!file.empty() && arguments.has("--queue")) {
        return complain_usage(
            "forecast", "--queue or --domains, not both: a list is reckoned behind the queue");
    }
    DomainCounts counts;
    if (!file.empty()) {
        auto read = read_domains(file);
        if (!read) return complain(read.error());
        counts = *std::move(read);
    }
    auto const standing = ask_standing(session, counts);
    if (!standing) return complain(standing.error());
    ForecastOptions options;
    for (auto const& [domain, count] : counts)
        options.only.push_back(domain);
    auto const began = std::chrono::steady_clock::now();
    bool said = false;
    options.on_world = [&](unsigned done) {
        if (std::chrono::steady_clock::now() - began < silent_for || !stderr_is_terminal()) return;
        fmt::print(stderr, "\r{} of {} worlds …\x1b[K", done, options.worlds);
        said = true;
    };
    auto const told = forecast(*standing, options);
    if (said) fmt::print(stderr, "\r\x1b[K");
    if (session.json) {
        fmt::print("{}\n", boost::json::serialize(to_json(told)));
    } else {
        fmt::print("{}",
                   view_forecast(
                       told, arguments.has("--all") ? ~std::size_t{0} : rows_shown, session.style));
    }
    return config::exit_done;
}

}  // namespace

Command forecast_command() {
    return {"forecast",
            "when it will be delivered",
            forecast_help,
            {{"--queue", false}, {"--domains", true}, {"--all", false}},
            run_forecast};
}

}  // namespace millrace::relay
