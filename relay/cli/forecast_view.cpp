#include "relay/cli/forecast_view.hpp"

#include <charconv>
#include <fmt/format.h>

#include "common/mail/domain.hpp"
#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t count_most = 1'000'000'000;

/// As exact as a forecast can be.
std::string span(const std::optional<Duration>& d) {
    if (!d) return "-";
    if (*d < 1s) return "at once";
    return to_human(std::chrono::floor<std::chrono::seconds>(*d));
}

std::string in(const Duration& d) {
    return d < 1s ? "at once" : "in " + span(d);
}

std::string headline(const Forecast& f) {
    auto const& [p10, p50, p90] = f.total.finish;
    auto const what = fmt::format("{} to deliver", count_of(f.total.queued, "message"));
    if (!p50) {
        return what + ": as things stand, not all of it goes out before it expires\n";
    }
    auto text = fmt::format("{}: done {}, at {}", what, in(*p50), to_rfc3339(f.now + *p50));
    text += p90 ? fmt::format("; in 8 of 10 cases between {} and {}\n", span(p10), span(p90))
                : fmt::format("; at the earliest {}, and perhaps not before it expires\n",
                              in(p10.value_or(0s)));
    return text;
}

}  // namespace

Result<void> take_domain_line(DomainCounts& counts, std::string_view line) {
    line = line.substr(0, line.find('#'));
    constexpr std::string_view blank = " \t\r,;";
    auto const next_word = [&] {
        auto const begin = std::min(line.find_first_not_of(blank), line.size());
        auto const end = std::min(line.find_first_of(blank, begin), line.size());
        auto const word = line.substr(begin, end - begin);
        line.remove_prefix(end);
        return word;
    };
    auto const name = next_word();
    auto const number = next_word();
    if (name.empty()) return {};
    if (!next_word().empty()) {
        return failure(Fault::invalid, "write a domain and a number, nothing else");
    }
    std::uint64_t count = 1;
    if (!number.empty()) {
        auto const [end, bad] =
            std::from_chars(number.data(), number.data() + number.size(), count);
        if (bad != std::errc{} || end != number.data() + number.size() || count > count_most) {
            return failure(Fault::invalid,
                           fmt::format("{} is no number of messages", std::string(number)));
        }
    }
    auto const at = name.rfind('@');
    auto domain = mail::ascii_domain(at == std::string_view::npos ? name : name.substr(at + 1));
    if (!domain || (!mail::is_host_name(*domain) && !mail::is_literal(*domain))) {
        return failure(Fault::invalid, fmt::format("{} is no domain", std::string(name)));
    }
    if (count > 0) counts[*std::move(domain)] += count;
    return {};
}

std::string view_forecast(const Forecast& f, std::size_t rows_most, const Style& style) {
    if (f.rows.empty() && f.total.queued == 0)
        return "nothing waits: there is nothing to foretell\n";
    auto text = headline(f) + "\n";
    Grid grid;
    grid.column("DESTINATION", Grid::Fit::shrinks);
    grid.column("QUEUED", Grid::Fit::right);
    grid.column("P10", Grid::Fit::right);
    grid.column("P50", Grid::Fit::right);
    grid.column("P90", Grid::Fit::right);
    grid.column("GOES BY", Grid::Fit::shrinks);
    std::size_t shown = 0;
    for (auto const& row : f.rows) {
        if (shown++ == rows_most) break;
        auto basis = row.basis;
        if (row.held > 0 && row.queued > 0)
            basis += fmt::format("; {} more held", grouped(row.held));
        grid.row({row.destination,
                  grouped(row.queued == 0 ? row.held : row.queued),
                  span(row.finish.p10),
                  span(row.finish.p50),
                  span(row.finish.p90),
                  std::move(basis)});
    }
    text += grid.text(style);
    if (f.rows.size() > rows_most) {
        text += fmt::format("… and {} that are done before these: --all shows them\n",
                            count_of(f.rows.size() - rows_most, "destination"));
    }
    text += "\nassumed:";
    for (auto const& assumption : f.assumes)
        text += "\n  " + assumption;
    return text + "\n";
}

}  // namespace millrace::relay
