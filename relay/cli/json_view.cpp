#include "relay/cli/json_view.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <fmt/format.h>

#include <boost/json.hpp>

namespace millrace::relay {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view key) {
    auto const* const value = object.if_contains(key);
    return value != nullptr && value->is_string()
               ? std::string(std::string_view(value->get_string()))
               : std::string();
}

std::uint64_t number_of(const json::object& object, std::string_view key) {
    auto const* const value = object.if_contains(key);
    boost::system::error_code error;
    auto const number = value != nullptr ? value->to_number<std::uint64_t>(error) : 0;
    return error ? 0 : number;
}

bool flag_of(const json::object& object, std::string_view key) {
    auto const* const value = object.if_contains(key);
    return value != nullptr && value->is_bool() && value->get_bool();
}

std::optional<Time> time_of(const json::object& object, std::string_view key) {
    return parse_rfc3339(text_of(object, key));
}

const json::array& list_of(const json::object& object, std::string_view key) {
    static const json::array none;
    auto const* const value = object.if_contains(key);
    return value != nullptr && value->is_array() ? value->get_array() : none;
}

std::optional<Time> parse_rfc3339(std::string_view text) {
    std::array<int, 6> parts{};
    constexpr std::array<std::pair<std::size_t, std::size_t>, 6> places{
        {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}}};
    if (text.size() < 20 || !text.ends_with('Z') || text[10] != 'T') {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        auto const* const begin = text.data() + places[i].first;
        auto const* const end = begin + places[i].second;
        auto const [stop, error] = std::from_chars(begin, end, parts[i]);
        if (error != std::errc{} || stop != end) {
            return std::nullopt;
        }
    }
    int milliseconds = 0;
    if (text.size() > 21 && text[19] == '.') {
        auto digits = std::string(text.substr(20, text.size() - 21));
        digits.resize(3, '0');
        std::from_chars(digits.data(), digits.data() + 3, milliseconds);
    }
    std::chrono::year_month_day const date{std::chrono::year(parts[0]),
                                           std::chrono::month(static_cast<unsigned>(parts[1])),
                                           std::chrono::day(static_cast<unsigned>(parts[2]))};
    if (!date.ok()) {
        return std::nullopt;
    }
    auto const days = std::chrono::sys_days(date).time_since_epoch();
    return Time(days + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]) +
                std::chrono::seconds(parts[5]) + std::chrono::milliseconds(milliseconds));
}

std::string grouped(std::uint64_t n) {
    auto text = fmt::format("{}", n);
    for (auto place = static_cast<std::ptrdiff_t>(text.size()) - 3; place > 0; place -= 3) {
        text.insert(static_cast<std::size_t>(place), 1, ',');
    }
    return text;
}

std::string short_size(std::uint64_t bytes) {
    constexpr std::array<std::pair<std::uint64_t, char>, 4> units{
        {{1ULL << 40, 'T'}, {1ULL << 30, 'G'}, {1ULL << 20, 'M'}, {1ULL << 10, 'K'}}};
    for (auto const& [unit, letter] : units) {
        if (bytes >= unit) {
            auto const value = static_cast<double>(bytes) / static_cast<double>(unit);
            return value < 10 ? fmt::format("{:.1f}{}", value, letter)
                              : fmt::format("{:.0f}{}", value, letter);
        }
    }
    return fmt::format("{}", bytes);
}

std::string age(std::optional<Time> then, Time now) {
    using std::chrono::seconds;
    return then ? to_human(
                      seconds(std::chrono::floor<seconds>(std::max(now - *then, Duration::zero()))))
                : "-";
}

std::string ahead(std::optional<Time> then, Time now) {
    if (!then) {
        return "-";
    }
    return *then - now < std::chrono::seconds(1) ? "due" : "in " + to_human(*then - now);
}

std::string count_of(std::uint64_t n, std::string_view noun) {
    return fmt::format("{} {}{}", grouped(n), noun, n == 1 ? "" : "s");
}

}  // namespace millrace::relay
