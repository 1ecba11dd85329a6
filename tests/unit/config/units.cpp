#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "common/config/nearest.hpp"

namespace millrace::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Units, TimesAreReadWithEveryUnit) {
    EXPECT_EQ(*parse_duration("15m"), minutes(15));
    EXPECT_EQ(*parse_duration("1h30m"), minutes(90));
    EXPECT_EQ(*parse_duration("5d"), hours(120));
    EXPECT_EQ(*parse_duration("2w"), hours(336));
    EXPECT_EQ(*parse_duration("250ms"), milliseconds(250));
    EXPECT_EQ(*parse_duration("0s"), Duration::zero());
    for (auto const* bad : {"",
                            "5",
                            "m",
                            "5 m",
                            "-5m",
                            "5m3",
                            "1.5h",
                            "5x",
                            "99999999999999w",
                            "999999999999999999999s",
                            "5mm",
                            "36500d1w"}) {
        EXPECT_FALSE(parse_duration(bad)) << bad;
    }
}

TEST(Units, SizesAreReadWithEveryUnit) {
    EXPECT_EQ(*parse_size("64M"), 64ULL << 20);
    EXPECT_EQ(*parse_size("64MiB"), 64ULL << 20);
    EXPECT_EQ(*parse_size("1g"), 1ULL << 30);
    EXPECT_EQ(*parse_size("512"), 512U);
    EXPECT_EQ(*parse_size("2T"), 2ULL << 40);
    for (auto const* bad : {"", "M", "1.5G", "-1", "1Q", "1MM", "9999999999T", "1 M"}) {
        EXPECT_FALSE(parse_size(bad)) << bad;
    }
}

TEST(Units, WhatIsPrintedIsReadAsTheSame) {
    for (std::int64_t ms :
         {1LL, 999LL, 1000LL, 61'001LL, 86'399'999LL, 86'400'000LL, 432'000'000LL}) {
        Duration const d = milliseconds(ms);
        EXPECT_EQ(*parse_duration(print_duration(d)), d) << print_duration(d);
    }
    for (std::uint64_t bytes : {0ULL, 1ULL, 1023ULL, 1024ULL, 1025ULL, 3ULL << 20, 5ULL << 40}) {
        EXPECT_EQ(*parse_size(print_size(bytes)), bytes) << print_size(bytes);
    }
    EXPECT_EQ(print_duration(minutes(90)), "1h30m");
    EXPECT_EQ(print_size(64ULL << 20), "64M");
}

TEST(Nearest, CountsSwapsAsOneMistake) {
    EXPECT_EQ(edit_distance("prot", "port"), 1U);
    EXPECT_EQ(edit_distance("", "abc"), 3U);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
    EXPECT_EQ(edit_distance("same", "same"), 0U);
}

TEST(Nearest, GuessesOnlyWhatIsNear) {
    const std::vector<std::string> words{"queue", "show", "hold", "release", "destinations"};
    EXPECT_EQ(nearest("qeue", words), "queue");
    EXPECT_EQ(nearest("dest", words), "destinations");
    EXPECT_EQ(nearest("holds", words), "hold");
    EXPECT_EQ(nearest("frobnicate", words), "");
    EXPECT_EQ(nearest("", words), "");
}

}  // namespace
}  // namespace millrace::config
