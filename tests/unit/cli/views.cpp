#include "relay/cli/views.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/cli/grid.hpp"
#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

const Time now = *parse_rfc3339("2026-11-24T12:00:00Z");

json::object object(std::string_view text) {
    return json::parse(json::string_view(text.data(), text.size())).as_object();
}

TEST(Views, TheStatusAnswersTheThreeQuestions) {
    auto const status = object(R"({"version":"0.1.0","hostname":"mail.example.com",
        "started":"2026-11-24T08:00:00.000Z","accepting":true,"queued":1204,"held":12,
        "oldest":"2026-11-24T09:55:00.000Z","free_bytes":5368709120,"sessions":1,"deliveries":7,
        "received":10332,"delivered":9120,"deferred":44,"bounced":8,
        "books":{"received":20336,"delivered":19120,"bounced":8,"expired":0,"suppressed":0,
                 "removed":4},"audited":"2026-11-24T11:58:00.000Z","wrong":[],
        "troubled":[{"destination":"slow.example","queued":900,"held":0,
                     "until":"2026-11-24T12:15:00.000Z","why":"421 too many connections"}],
        "problems":[{"at":"2026-11-24T11:48:00.000Z","what":"spool.full","detail":"below 256M"}]})");
    EXPECT_EQ(view_status(status, now, {}),
              "accepting mail: millrace-relay 0.1.0 on mail.example.com, up 4h\n"
              "queued       1,204 recipients, the oldest for 2h5m, 12 held\n"
              "now          1 connection in, 7 connections out\n"
              "since start  10,332 received, 9,120 delivered, 44 deferred, 8 bounced\n"
              "in all       20,336 received = 19,120 delivered + 8 bounced + 4 removed + 1,204 "
              "queued; counted 2m ago\n"
              "disk         5.0G free\n"
              "\n"
              "destinations that wait\n"
              "  DESTINATION   QUEUED  HELD  UNTIL   WHY\n"
              "  slow.example     900     0  in 15m  421 too many connections\n"
              "\n"
              "last problems\n"
              "  AGO  PROBLEM\n"
              "  12m  spool.full  below 256M\n");
}

TEST(Views, ARelayThatDoesNotAcceptSaysWhy) {
    auto const text =
        view_status(object(R"({"accepting":false,"why_not":"the disk is full"})"), now, {});
    EXPECT_TRUE(text.starts_with("NOT accepting mail:")) << text;
    EXPECT_NE(text.find("the disk is full"), std::string::npos);
}

TEST(Views, WhatDoesNotAddUpIsSaid) {
    auto const text = view_status(
        object(R"({"accepting":true,"queued":1,"books":{"received":3,"delivered":1},
                   "audited":"2026-11-24T11:58:00.000Z","wrong":["3 were received"]})"),
        now,
        {});
    EXPECT_NE(text.find("in all       3 received = 1 delivered + 1 queued\n"
                        "             does not add up: 3 were received\n"),
              std::string::npos)
        << text;
}

TEST(Views, TheQueueIsATable) {
    std::vector<json::object> const rows = {
        object(R"({"id":"0V3RLX8M2PQ7T","born":"2026-11-24T11:00:00Z","size":2048,"sender":"",
                   "recipient":"a@b.example","attempts":3,"due":"2026-11-24T12:05:00Z",
                   "last_reply":"451 4.7.1 later"})"),
        object(
            R"({"id":"0V3RLX8M2PQ7V","born":"2026-11-24T11:59:58Z","size":99,"sender":"s@c.example",
                   "recipient":"long-name@b.example","attempts":0,"held":true})")};
    EXPECT_EQ(
        view_queue(rows, now, {}),
        "ID             AGE  SIZE  SENDER       RECIPIENT            TRIES  NEXT   LAST REPLY\n"
        "0V3RLX8M2PQ7T   1h  2.0K  <>           a@b.example              3  in 5m  451 4.7.1 "
        "later\n"
        "0V3RLX8M2PQ7V   2s    99  s@c.example  long-name@b.example      0  held\n");
}

TEST(Views, AMessageTellsItsJourney) {
    auto const text = view_message(
        object(
            R"({"id":"0V3RLX8M2PQ7T","sender":"s@c.example","size":2048,"class":"bulk","tag":"news",
        "received":"2026-11-24T11:00:00.000Z","mta_queue_id":"4XyZ","message_id":"<m@c.example>",
        "waiting":[{"recipient":"a@b.example","attempts":2,"due":"2026-11-24T12:05:00Z",
                    "why":"greylisted until 12:05","last_reply":"451 4.7.1 later","last_host":"mx.b.example"}],
        "history":[{"timestamp":"2026-11-24T11:00:00.000Z","event":"received","recipient":"a@b.example",
                    "attempt":null,"smtp_code":null,"reason":null},
                   {"timestamp":"2026-11-24T11:00:01.000Z","event":"deferred","recipient":"a@b.example",
                    "attempt":1,"remote_mta":"mx.b.example","smtp_code":451,"reason":"4.7.1 later"}]})"),
        now,
        {});
    EXPECT_EQ(
        text,
        "0V3RLX8M2PQ7T\n"
        "from         s@c.example\n"
        "size         2.0K\n"
        "message-id   <m@c.example>\n"
        "came as      4XyZ\n"
        "class, tag   bulk, news\n"
        "received     2026-11-24T11:00:00.000Z (1h ago)\n"
        "waiting\n"
        "  a@b.example  next try in 5m, 2 attempts\n"
        "    why:  greylisted until 12:05\n"
        "    last: mx.b.example: 451 4.7.1 later\n"
        "history\n"
        "  TIME                      EVENT     RECIPIENT    TRY  SERVER        REPLY\n"
        "  2026-11-24T11:00:00.000Z  received  a@b.example\n"
        "  2026-11-24T11:00:01.000Z  deferred  a@b.example    1  mx.b.example  451 4.7.1 later\n");
}

TEST(Views, AFinishedMessageIsToldFromItsEvents) {
    auto const text = view_message(
        object(R"({"id":"X","waiting":[],"history":[{"event":"delivered","sender":"s@c.example",
        "recipient":"a@b.example","timestamp":"t","class":"bulk","tag":"news"}]})"),
        now,
        {});
    EXPECT_NE(text.find("from         s@c.example\n"), std::string::npos) << text;
    EXPECT_NE(text.find("nothing waits: every recipient is finished"), std::string::npos);
}

TEST(Views, NothingThatCameWithMailSteersTheTerminal) {
    std::string const evil =
        "\x1b]0;owned\x07\n\xc2\x9b"
        "2J";
    json::object row{{"id", "X"}, {"recipient", evil}, {"last_reply", evil}, {"sender", evil}};
    std::vector<json::object> const rows = {row};
    json::object event{
        {"event", evil}, {"recipient", evil}, {"reason", evil}, {"remote_mta", evil}};
    json::object message{{"id", evil},
                         {"sender", evil},
                         {"message_id", evil},
                         {"waiting", json::array{row}},
                         {"history", json::array{event}}};
    json::object status{{"hostname", evil},
                        {"accepting", false},
                        {"why_not", evil},
                        {"problems", json::array{json::object{{"detail", evil}}}}};
    for (auto const& text : {view_queue(rows, now, {}),
                             view_event(event, {}),
                             view_message(message, now, {}),
                             view_status(status, now, {})}) {
        EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
        EXPECT_EQ(text.find('\x07'), std::string::npos);
        EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
        EXPECT_NE(text.find("\\x1b]0;owned\\x07\\x0a\\x9b2J"), std::string::npos) << text;
    }
}

TEST(Views, AnythingMayBeMissing) {
    json::object const empty;
    std::vector<json::object> const rows = {empty, object(R"({"id":7,"size":"x","due":"never"})")};
    EXPECT_FALSE(view_status(empty, now, {}).empty());
    EXPECT_FALSE(view_queue(rows, now, {}).empty());
    EXPECT_FALSE(view_message(empty, now, {}).empty());
    EXPECT_FALSE(view_providers(rows, true, true, now, {}).empty());
    EXPECT_FALSE(view_provider(empty, now, {}).empty());
    EXPECT_FALSE(view_why(rows, now, {}).empty());
    EXPECT_FALSE(view_event(empty, {}).empty());
}

TEST(Grid, GivesWayWhereItMayWhenTheTerminalIsNarrow) {
    Grid grid;
    grid.column("ID");
    grid.column("ADDRESS", Grid::Fit::shrinks);
    grid.column("N", Grid::Fit::right);
    grid.row({"0V3RLX8M2PQ7T", "somebody.with.a.long.name@example.com", "7"});
    EXPECT_EQ(grid.text({false, 40}),
              "ID             ADDRESS                 N\n"
              "0V3RLX8M2PQ7T  somebody.with.a.long.…  7\n");
    EXPECT_EQ(grid.text({}),
              "ID             ADDRESS                                N\n"
              "0V3RLX8M2PQ7T  somebody.with.a.long.name@example.com  7\n");
}

TEST(Grid, CountsColumnsNotBytes) {
    Grid grid;
    grid.column("A");
    grid.column("B");
    grid.row({"jörg", "x"});
    grid.row({"anna", "y"});
    EXPECT_EQ(grid.text({}), "A     B\njörg  x\nanna  y\n");
    EXPECT_EQ(shortened("größe", 4), "grö…");
}

TEST(JsonView, ReadsTimesAsTheRelayWritesThem) {
    for (std::int64_t ms : {0LL, 1'795'500'930'123LL, 951'782'400'000LL}) {
        EXPECT_EQ(parse_rfc3339(to_rfc3339(from_unix_millis(ms))), from_unix_millis(ms));
    }
    for (auto const* bad : {"",
                            "2026",
                            "2026-13-01T00:00:00Z",
                            "2026-02-30T00:00:00Z",
                            "2026-11-24 00:00:00Z",
                            "2026-11-24T00:00:00+01:00",
                            "2026-1x-24T00:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(bad)) << bad;
    }
}

TEST(JsonView, WritesNumbersForPeople) {
    EXPECT_EQ(grouped(0), "0");
    EXPECT_EQ(grouped(999), "999");
    EXPECT_EQ(grouped(1000), "1,000");
    EXPECT_EQ(grouped(12'345'678), "12,345,678");
    EXPECT_EQ(count_of(1, "message"), "1 message");
    EXPECT_EQ(short_size(1536), "1.5K");
    EXPECT_EQ(short_size(12 << 20), "12M");
}

}  // namespace
}  // namespace millrace::relay
