#include "relay/words.hpp"

#include <chrono>
#include <fmt/format.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;
constexpr std::size_t quoted_max = 200;

std::string units(std::int64_t n, std::string_view unit) {
    return fmt::format("{} {}{}", n, unit, n == 1 ? "" : "s");
}

}  // namespace

std::string span_words(Duration d) {
    auto const seconds = std::chrono::round<std::chrono::seconds>(d).count();
    if (d < 1s) return "less than a second";
    if (seconds < 120) return units(seconds, "second");
    if (seconds < 120 * 60) return units((seconds + 30) / 60, "minute");
    if (seconds < 48 * 3600) return units((seconds + 1800) / 3600, "hour");
    return units((seconds + 43200) / 86400, "day");
}

std::string exact_words(Duration d) {
    if (d >= 120s) return span_words(d);
    return fmt::format("{:.1f} seconds", std::chrono::duration<double>(d).count());
}

std::string clock_words(Time t, Time now) {
    auto const day = [](Time at) {
        return std::chrono::floor<std::chrono::days>(at.time_since_epoch());
    };
    auto const text = to_rfc3339(t);  // 2026-11-24T08:15:30.123Z
    auto const clock = text.substr(11, 5) + " UTC";
    if (day(t) == day(now)) return clock;
    static constexpr std::string_view months[] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const month = months[static_cast<std::size_t>(std::stoi(text.substr(5, 2)) - 1) % 12];
    auto const year = text.substr(0, 4);
    return fmt::format("{} {}{} {}",
                       std::stoi(text.substr(8, 2)),
                       month,
                       year == to_rfc3339(now).substr(0, 4) ? "" : " " + year,
                       clock);
}

std::string ahead_words(Time t, Time now) {
    if (t <= now) return "now";
    return fmt::format("in {} ({})", span_words(t - now), clock_words(t, now));
}

std::string ago_words(Time t, Time now) {
    if (t >= now) return "just now";
    return fmt::format("{} ago ({})", span_words(now - t), clock_words(t, now));
}

std::string count_words(std::uint64_t n, std::string_view noun) {
    auto text = fmt::format("{}", n);
    for (auto place = static_cast<std::ptrdiff_t>(text.size()) - 3; place > 0; place -= 3) {
        text.insert(static_cast<std::size_t>(place), 1, ',');
    }
    return fmt::format("{} {}{}", text, noun, n == 1 ? "" : "s");
}

std::string ordinal(std::uint64_t n) {
    auto const teen = n % 100 >= 11 && n % 100 <= 13;
    auto const* const end = teen          ? "th"
                            : n % 10 == 1 ? "st"
                            : n % 10 == 2 ? "nd"
                            : n % 10 == 3 ? "rd"
                                          : "th";
    return fmt::format("{}{}", n, end);
}

std::string in_quotes(std::string_view reply) {
    if (reply.size() <= quoted_max) return fmt::format("\"{}\"", reply);
    auto end = quoted_max;
    // Never in the middle of a character.
    while (end > 0 && (static_cast<unsigned char>(reply[end]) & 0xC0U) == 0x80U)
        --end;
    return fmt::format("\"{}…\"", reply.substr(0, end));
}

}  // namespace millrace::relay
