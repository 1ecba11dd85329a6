#include "common/base/time.hpp"

#include <array>
#include <fmt/format.h>
#include <utility>

namespace millrace {
namespace {

struct Calendar {
    std::chrono::year_month_day date;
    unsigned weekday;  ///< 0 = Sunday
    std::chrono::hh_mm_ss<std::chrono::milliseconds> clock;
};

Calendar calendar(Time t) {
    auto const ms = std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch());
    auto const days = std::chrono::floor<std::chrono::days>(ms);
    std::chrono::sys_days const day{days};
    return {std::chrono::year_month_day(day),
            std::chrono::weekday(day).c_encoding(),
            std::chrono::hh_mm_ss<std::chrono::milliseconds>(ms - days)};
}

}  // namespace

std::int64_t unix_seconds(Time t) {
    return std::chrono::floor<std::chrono::seconds>(t.time_since_epoch()).count();
}

std::int64_t unix_millis(Time t) {
    return std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch()).count();
}

Time from_unix_millis(std::int64_t ms) {
    return Time(std::chrono::milliseconds(ms));
}

std::string to_rfc3339(Time t) {
    auto const c = calendar(t);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                       static_cast<int>(c.date.year()),
                       static_cast<unsigned>(c.date.month()),
                       static_cast<unsigned>(c.date.day()),
                       c.clock.hours().count(),
                       c.clock.minutes().count(),
                       c.clock.seconds().count(),
                       c.clock.subseconds().count());
}

std::string to_rfc5322(Time t) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    auto const c = calendar(t);
    return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000",
                       days[c.weekday],
                       static_cast<unsigned>(c.date.day()),
                       months[static_cast<unsigned>(c.date.month()) - 1],
                       static_cast<int>(c.date.year()),
                       c.clock.hours().count(),
                       c.clock.minutes().count(),
                       c.clock.seconds().count());
}

std::string to_human(Duration d) {
    if (d < Duration::zero()) {
        return "-" + to_human(-d);
    }
    if (d < std::chrono::seconds(1)) {
        return fmt::format("{:.3g}s", std::chrono::duration<double>(d).count());
    }
    static constexpr std::array<std::pair<std::int64_t, char>, 4> units{
        {{86'400, 'd'}, {3'600, 'h'}, {60, 'm'}, {1, 's'}}};
    auto left = std::chrono::floor<std::chrono::seconds>(d).count();
    std::string text;
    int used = 0;
    for (auto const [seconds, letter] : units) {
        if (left >= seconds) {
            text += fmt::format("{}{}", left / seconds, letter);
            left %= seconds;
            ++used;
        } else if (used == 1) {
            break;  // `2d5s` says less than `2d`
        }
        if (used == 2) {
            break;
        }
    }
    return text;
}

}  // namespace millrace
