#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/time.hpp"

/// Times, spans and numbers as a sentence has them. Pure.
namespace millrace::relay {

/// `3 hours`, `45 seconds`, `less than a second`: one unit, in which it is at least two.
std::string span_words(Duration d);
/// `0.3 seconds`, `12.4 seconds`, beyond two minutes as span_words().
std::string exact_words(Duration d);
/// `10:12 UTC`; on another day `22 Nov 10:12 UTC`; of another year with the year.
std::string clock_words(Time t, Time now);
/// `in 12 minutes (10:24 UTC)`, `now`.
std::string ahead_words(Time t, Time now);
/// `3 hours ago (07:12 UTC)`.
std::string ago_words(Time t, Time now);
/// `1 recipient`, `1,200 recipients`.
std::string count_words(std::uint64_t n, std::string_view noun);
/// `1st`, `2nd`, `11th`.
std::string ordinal(std::uint64_t n);
/// A reply in quotation marks, cut at 200 bytes at most.
std::string in_quotes(std::string_view reply);

}  // namespace millrace::relay
