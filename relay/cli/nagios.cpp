#include "relay/cli/nagios.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "common/config/load.hpp"
#include "relay/cli/json_view.hpp"
#include "relay/cli/terminal.hpp"

#include <boost/json.hpp>

namespace millrace::relay {
namespace {

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t n = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(n)
                                                                    : std::nullopt;
}

bool set(Thresholds& t, std::string_view name, const std::string& value) {
    if (name == "queued" || name == "held") {
        auto const n = whole_number(value);
        (name == "queued" ? t.queued : t.held) = n;
        return n.has_value();
    }
    if (name == "oldest") {
        auto const time = config::parse_duration(value);
        if (time) t.oldest = *time;
        return time.has_value();
    }
    if (name == "free") {
        auto const size = config::parse_size(value);
        if (size) t.free = *size;
        return size.has_value();
    }
    return false;
}

std::string seconds(Duration d) {
    return std::to_string(std::chrono::floor<std::chrono::seconds>(d).count());
}

/// A measured value with its limits, as performance data.
struct Reading {
    std::string name, value, unit, warning, critical;
    bool warns = false, is_critical = false;
    std::string text() const {
        return fmt::format("{}={}{};{};{};0", name, value, unit, warning, critical);
    }
};

Reading number(std::string name,
               std::uint64_t value,
               std::optional<std::uint64_t> warning,
               std::optional<std::uint64_t> critical) {
    auto const text = [](std::optional<std::uint64_t> n) {
        return n ? std::to_string(*n) : std::string();
    };
    return {std::move(name),
            std::to_string(value),
            "",
            text(warning),
            text(critical),
            warning && value > *warning,
            critical && value > *critical};
}

}  // namespace

Thresholds default_warning() {
    return {.queued = 10'000, .held = {}, .oldest = {}, .free = 1ULL << 30};
}

Thresholds default_critical() {
    return {.queued = 50'000, .held = {}, .oldest = {}, .free = {}};
}

Result<Thresholds> parse_thresholds(std::string_view list, Thresholds otherwise) {
    if (list.empty()) {
        return otherwise;
    }
    Thresholds result;
    while (!list.empty()) {
        auto const one = list.substr(0, list.find(','));
        list.remove_prefix(std::min(list.size(), one.size() + 1));
        auto const equals = one.find('=');
        auto const value =
            equals == std::string_view::npos ? std::string() : std::string(one.substr(equals + 1));
        if (value.empty() || !set(result, one.substr(0, equals), value)) {
            return failure(Fault::invalid,
                           fmt::format("{} is no threshold: write queued=1000, held=1, oldest=2h "
                                       "or free=1G, several with commas between",
                                       one));
        }
    }
    return result;
}

NagiosVerdict nagios_verdict(const boost::json::object& s,
                             const Thresholds& warning,
                             const Thresholds& critical,
                             Time now) {
    auto const oldest_at = time_of(s, "oldest");
    auto const oldest = oldest_at ? std::max(now - *oldest_at, Duration::zero()) : Duration::zero();
    auto const free = number_of(s, "free_bytes");
    auto const limit = [](auto const& n, auto const& text) {
        return n ? text(*n) : std::string();
    };
    auto const below = [](std::uint64_t n) {
        return std::to_string(n) + ":";
    };
    std::vector<Reading> const readings = {
        number("queued", number_of(s, "queued"), warning.queued, critical.queued),
        number("held", number_of(s, "held"), warning.held, critical.held),
        {"oldest",
         seconds(oldest),
         "s",
         limit(warning.oldest, seconds),
         limit(critical.oldest, seconds),
         warning.oldest && oldest > *warning.oldest,
         critical.oldest && oldest > *critical.oldest},
        {"free",
         std::to_string(free),
         "B",
         limit(warning.free, below),
         limit(critical.free, below),
         warning.free && free < *warning.free,
         critical.free && free < *critical.free}};
    bool const accepting = flag_of(s, "accepting");
    NagiosVerdict verdict{0, {}};
    std::string why;
    std::string data;
    for (auto const& reading : readings) {
        int const code = reading.is_critical ? 2 : reading.warns ? 1 : 0;
        verdict.exit_code = std::max(verdict.exit_code, code);
        if (code > 0) {
            why += (why.empty() ? "" : ", ") + reading.name;
        }
        data += " " + reading.text();
    }
    for (auto const& value : list_of(s, "alerts")) {
        auto const* const alert = value.if_object();
        if (alert == nullptr) continue;
        verdict.exit_code = std::max(verdict.exit_code, flag_of(*alert, "critical") ? 2 : 1);
        why += fmt::format("{}{} {}",
                           why.empty() ? "" : ", ",
                           text_of(*alert, "kind"),
                           text_of(*alert, "object"));
    }
    for (auto const& sentence : list_of(s, "wrong")) {
        if (!sentence.is_string()) continue;
        verdict.exit_code = 2;
        why += (why.empty() ? "" : ", ") + harmless(std::string(sentence.as_string()));
    }
    verdict.exit_code = accepting ? verdict.exit_code : 2;
    constexpr std::string_view words[] = {"OK", "WARNING", "CRITICAL"};
    auto text =
        fmt::format("MILLRACE {} - {}{}, {} queued",
                    words[verdict.exit_code],
                    why.empty() ? "" : why + ": ",
                    accepting ? "accepting mail" : "NOT accepting mail: " + text_of(s, "why_not"),
                    grouped(number_of(s, "queued")));
    text += oldest_at ? fmt::format(" (oldest {})", age(oldest_at, now)) : "";
    text += fmt::format(", {} held, {} free", grouped(number_of(s, "held")), short_size(free));
    std::replace(text.begin(), text.end(), '|', '/');  // what follows a | is performance data
    verdict.line = text + " |" + data;
    return verdict;
}

NagiosVerdict nagios_critical(std::string_view why) {
    return {2, fmt::format("MILLRACE CRITICAL - {}", why)};
}

NagiosVerdict nagios_unknown(std::string_view why) {
    return {3, fmt::format("MILLRACE UNKNOWN - {}", why)};
}

}  // namespace millrace::relay
