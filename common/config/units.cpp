#include <array>
#include <fmt/format.h>
#include <utility>

#include "common/config/load.hpp"

namespace millrace::config {
namespace {

constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> time_units{{{"d", 86'400'000},
                                                                               {"h", 3'600'000},
                                                                               {"m", 60'000},
                                                                               {"s", 1'000},
                                                                               {"ms", 1},
                                                                               {"w", 604'800'000}}};
constexpr std::array<std::pair<char, unsigned>, 4> size_units{
    {{'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}}};
constexpr std::int64_t longest = 100LL * 365 * 86'400'000;  // ms: nanoseconds still fit
constexpr std::uint64_t largest = 1ULL << 60;

/// Digits at the front of text, taken off it. No value when there are none, or too many.
std::optional<std::uint64_t> take_number(std::string_view& text) {
    std::size_t n = 0;
    std::uint64_t value = 0;
    for (; n < text.size() && text[n] >= '0' && text[n] <= '9'; ++n) {
        if (n == 18) {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(text[n] - '0');
    }
    if (n == 0) {
        return std::nullopt;
    }
    text.remove_prefix(n);
    return value;
}

std::unexpected<Failure> not_a_duration(std::string_view text) {
    return failure(
        Fault::invalid,
        fmt::format("\"{}\" is not a time: write a number with ms, s, m, h, d or w, such "
                    "as \"30s\" or \"1h30m\"",
                    text));
}

std::unexpected<Failure> not_a_size(std::string_view text) {
    return failure(Fault::invalid,
                   fmt::format("\"{}\" is not a size: write a number with K, M, G or T, such as "
                               "\"64M\"",
                               text));
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    auto rest = text;
    std::int64_t total = 0;
    if (rest.empty()) {
        return not_a_duration(text);
    }
    while (!rest.empty()) {
        auto const number = take_number(rest);
        auto const letters = rest.substr(0, rest.find_first_of("0123456789"));
        rest.remove_prefix(letters.size());
        std::int64_t unit = 0;
        for (auto const& [name, milliseconds] : time_units) {
            if (letters == name) {
                unit = milliseconds;
            }
        }
        if (!number || unit == 0 || *number > static_cast<std::uint64_t>(longest / unit)) {
            return not_a_duration(text);
        }
        total += static_cast<std::int64_t>(*number) * unit;
        if (total > longest) {
            return not_a_duration(text);
        }
    }
    return std::chrono::milliseconds(total);
}

std::string print_duration(Duration d) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
    if (left <= 0) {
        return "0s";
    }
    std::string text;
    for (auto const& [name, unit] : time_units) {
        if (name != "w" && left >= unit) {
            text += fmt::format("{}{}", left / unit, name);
            left %= unit;
        }
    }
    return text;
}

Result<std::uint64_t> parse_size(std::string_view text) {
    auto rest = text;
    auto const number = take_number(rest);
    if (!number) {
        return not_a_size(text);
    }
    unsigned shift = 0;
    if (!rest.empty()) {
        for (auto const& [letter, bits] : size_units) {
            if (rest.front() == letter || rest.front() == letter - 'A' + 'a') {
                shift = bits;
            }
        }
        rest.remove_prefix(shift != 0 ? 1 : 0);
        if (rest != "" && rest != "B" && rest != "iB") {
            return not_a_size(text);
        }
    }
    if (*number > (largest >> shift)) {
        return not_a_size(text);
    }
    return *number << shift;
}

std::string print_size(std::uint64_t bytes) {
    for (auto const& [letter, bits] : size_units) {
        if (bytes != 0 && (bytes & ((1ULL << bits) - 1)) == 0) {
            return fmt::format("{}{}", bytes >> bits, letter);
        }
    }
    return fmt::format("{}", bytes);
}

}  // namespace millrace::config
