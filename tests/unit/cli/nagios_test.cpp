// Goal: a monitoring check: one line, performance data, exit codes 0 to 3.
#include "relay/cli/nagios.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

const Time now = *parse_rfc3339("2026-11-24T12:00:00Z");

boost::json::object status(std::uint64_t queued, bool accepting = true) {
    return {{"accepting", accepting},
            {"why_not", "the disk is full | really"},
            {"queued", queued},
            {"held", 2},
            {"oldest", "2026-11-24T09:00:00Z"},
            {"free_bytes", 5ULL << 30}};
}

TEST(Nagios, SaysOkWithItsData) {
    auto const verdict = nagios_verdict(status(12), default_warning(), default_critical(), now);
    EXPECT_EQ(verdict.exit_code, 0);
    EXPECT_EQ(
        verdict.line,
        "MILLRACE OK - accepting mail, 12 queued (oldest 3h), 2 held, 5.0G free | "
        "queued=12;10000;50000;0 held=2;;;0 oldest=10800s;;;0 free=5368709120B;1073741824:;;0");
}

TEST(Nagios, AnAlertWarnsAndACriticalOneIsCritical) {
    auto s = status(12);
    s["alerts"] = boost::json::array{
        boost::json::object{{"kind", "blocked"}, {"object", "google"}, {"critical", false}}};
    auto verdict = nagios_verdict(s, default_warning(), default_critical(), now);
    EXPECT_EQ(verdict.exit_code, 1);
    EXPECT_TRUE(verdict.line.starts_with("MILLRACE WARNING - blocked google: accepting mail"))
        << verdict.line;
    s["alerts"].as_array()[0].as_object()["critical"] = true;
    verdict = nagios_verdict(s, default_warning(), default_critical(), now);
    EXPECT_EQ(verdict.exit_code, 2);
}

TEST(Nagios, WhatDoesNotAddUpIsCritical) {
    auto s = status(12);
    s["wrong"] = boost::json::array{"3 recipients should be queued, and 2 are there"};
    auto const verdict = nagios_verdict(s, default_warning(), default_critical(), now);
    EXPECT_EQ(verdict.exit_code, 2);
    EXPECT_TRUE(verdict.line.starts_with(
        "MILLRACE CRITICAL - 3 recipients should be queued, and 2 are there: accepting mail"))
        << verdict.line;
}

TEST(Nagios, EveryThresholdCounts) {
    auto const code = [](const char* warning, const char* critical, std::uint64_t queued = 12) {
        return nagios_verdict(status(queued),
                              *parse_thresholds(warning, {}),
                              *parse_thresholds(critical, {}),
                              now)
            .exit_code;
    };
    EXPECT_EQ(code("", ""), 0);
    EXPECT_EQ(code("queued=12", ""), 0);
    EXPECT_EQ(code("queued=11", ""), 1);
    EXPECT_EQ(code("held=1", ""), 1);
    EXPECT_EQ(code("oldest=2h", ""), 1);
    EXPECT_EQ(code("free=6G", ""), 1);
    EXPECT_EQ(code("free=5G", ""), 0);
    EXPECT_EQ(code("queued=11", "oldest=2h,queued=100"), 2);
    EXPECT_EQ(code("queued=11", "free=6G"), 2);
}

TEST(Nagios, NotAcceptingIsCritical) {
    auto const verdict = nagios_verdict(status(1, false), {}, {}, now);
    EXPECT_EQ(verdict.exit_code, 2);
    EXPECT_TRUE(verdict.line.starts_with(
        "MILLRACE CRITICAL - NOT accepting mail: the disk is full / really"));
    EXPECT_EQ(std::count(verdict.line.begin(), verdict.line.end(), '|'), 1);
}

TEST(Nagios, ABadThresholdIsSaid) {
    for (auto const* list :
         {"queued", "queued=", "queued=x", "queued=1,oldest=3", "size=1", ",", "free=1Q"}) {
        EXPECT_FALSE(parse_thresholds(list, {})) << list;
    }
    EXPECT_EQ(*parse_thresholds("", default_warning()), default_warning());
}

}  // namespace
}  // namespace millrace::relay
