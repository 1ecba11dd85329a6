#include "relay/attach/report.hpp"

#include <gtest/gtest.h>

#include "common/config/load.hpp"

// Goal: the report counts what the gate's log says, whatever stands in it, in bounded memory.
namespace millrace::attach {
namespace {

Report report_of(const std::vector<std::string>& lines, const std::string& settings = {}) {
    auto const snapshot = *config::parse(settings, "test");
    ReportMaker maker(*snapshot);
    for (auto const& line : lines) {
        maker.add(line);
    }
    return std::move(maker).finish();
}

std::string message(const std::string& rest, const std::string& time = "2026-11-24T08:15:30Z") {
    return R"({"event":"message","timestamp":")" + time + "\"," + rest + "}";
}

TEST(ReportTest, MessagesByWhatBecameOfThem) {
    auto const report =
        report_of({message(R"("verdict":"accept","changes":[])"),
                   message(R"("verdict":"accept","changes":["x"])", "2026-11-24T09:00:00Z"),
                   message(R"("verdict":"would-reject","changes":["x"])", "2026-11-24T07:00:00Z"),
                   message(R"("verdict":"untouched")", "2026-11-25T00:00:00Z")});
    EXPECT_EQ(report.messages, 3U);
    EXPECT_EQ(report.clean, 1U);
    EXPECT_EQ(report.mended, 1U);
    EXPECT_EQ(report.refused, 1U);
    EXPECT_EQ(report.untouched, 1U);
    EXPECT_EQ(report.first, "2026-11-24T07:00:00Z");
    EXPECT_EQ(report.last, "2026-11-24T09:00:00Z");
}

TEST(ReportTest, RulesWithTheirSendersAndThreeExamples) {
    std::vector<std::string> lines;
    for (int i = 0; i < 5; ++i) {
        lines.push_back(message(
            R"("verdict":"would-reject","sender":")" +
            std::string(i == 4 ? "" : "cron@garden.test") + R"(","message_id":")" +
            (i == 1 ? "" : "<m>") +
            R"(","mta_queue_id":"4Xy","defects":[{"code":"H03","detail":"Subject missing"}])"));
    }
    auto const report = report_of(lines);
    auto const& rule = report.rules.at("H03");
    EXPECT_EQ(rule.what, "Subject missing");
    EXPECT_EQ(rule.messages, 5U);
    EXPECT_EQ(rule.senders,
              (std::map<std::string, std::uint64_t>{{"<>", 1}, {"cron@garden.test", 4}}));
    EXPECT_EQ(rule.examples, (std::vector<std::string>{"<m>", "4Xy", "<m>"}));
}

TEST(ReportTest, LinesOfAnotherKindAreCountedAndNothingElse) {
    auto const report = report_of({"",
                                   "rubbish",
                                   "{",
                                   "[]",
                                   "42",
                                   "null",
                                   R"({"event":"start"})",
                                   R"({"event":7})",
                                   std::string(10'000, '['),
                                   "\xff\xfe",
                                   std::string(3, '\0')});
    EXPECT_EQ(report.messages, 0U);
    EXPECT_EQ(report.skipped, 10U);
}

TEST(ReportTest, ALineOfTheRightKindWithTheWrongTypesDoesNoHarm) {
    auto const report = report_of(
        {message(R"("verdict":3,"changes":{},"defects":[1,null,{"code":[]}],"from":"x","to":[])"),
         message(
             R"("verdict":"accept","from":[1,null],"to":{"a.test":-1,"b.test":1.5,"c.test":"x"})"),
         message(R"("verdict":"accept","to":{"a.test":1e300,"b.test":18446744073709551615})"),
         message(R"("verdict":"accept","to":{"b.test":18446744073709551615})"),
         R"({"event":"message"})"});
    EXPECT_EQ(report.messages, 5U);
    EXPECT_GE(busiest(report, 1).front().second.longest_wait, Duration::zero());
}

TEST(ReportTest, MemoryIsBounded) {
    std::vector<std::string> lines;
    for (int i = 0; i < 2'000; ++i) {
        auto const n = std::to_string(i);
        lines.push_back(message(R"("verdict":"accept","sender":"s)" + n +
                                R"(@a.test","defects":[{"code":"H03"},{"code":"X)" + n + R"("}])"));
    }
    auto const report = report_of(lines);
    EXPECT_EQ(report.rules.at("H03").senders.size(), 1'000U);
    EXPECT_EQ(report.rules.at("H03").messages, 2'000U);
    EXPECT_LE(report.rules.size(), 200U);
}

TEST(ReportTest, WhatTheLimitsWouldHaveDone) {
    auto const rate = "relay = { delivery = { messages_per_second = 1.0; }; };";
    auto const report =
        report_of({message(R"("verdict":"accept","to":{"rose.test":90})", "2026-11-24T08:00:10Z"),
                   message(R"("verdict":"accept","to":{"rose.test":30})", "2026-11-24T08:00:50Z"),
                   message(R"("verdict":"accept","to":{"rose.test":10})", "2026-11-24T08:01:00Z"),
                   message(R"("verdict":"would-reject","to":{"rose.test":999})")},
                  rate);
    auto const& load = report.destinations.at("rose.test");
    EXPECT_EQ(load.recipients, 130U);
    EXPECT_EQ(load.busiest_minute, 120U);
    EXPECT_EQ(load.longest_wait, std::chrono::seconds(120));
}

TEST(ReportTest, ADomainSeenOftenAndUnknownIsProposed) {
    std::vector<std::string> lines;
    for (int i = 0; i < 200; ++i) {
        lines.push_back(message(R"("verdict":"accept","from":["garden.test","known.test"])"));
    }
    lines.push_back(message(R"("verdict":"accept","from":["visitor.test","localhost"])"));
    auto const report = report_of(lines, "gate = { known_domains = [ \"known.test\" ]; };");
    EXPECT_EQ(report.from.at("garden.test"), 200U);
    EXPECT_TRUE(report.known.contains("known.test"));
    EXPECT_EQ(proposal(report), std::vector<std::string>{"garden.test"});
}

TEST(ReportTest, TheLargestFirst) {
    auto const largest = most({{"a", 1}, {"b", 3}, {"c", 3}}, 2);
    EXPECT_EQ(largest, (std::vector<std::pair<std::string, std::uint64_t>>{{"b", 3}, {"c", 3}}));
}

}  // namespace
}  // namespace millrace::attach
