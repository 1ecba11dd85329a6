// Goal: the listing that scripts parse (tests/e2e/found holds it beside the real Postfix's).
#include "relay/cli/mailq.hpp"

#include <cstdlib>
#include <ctime>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/cli/json_view.hpp"

namespace millrace::relay {
namespace {

namespace json = boost::json;

const Time now = *parse_rfc3339("2026-11-24T15:00:00Z");

std::string listing(Mailq::Form form) {
    ::setenv("TZ", "UTC", 1);
    ::tzset();
    Mailq mailq(form, now);
    std::string text;
    for (auto const* row : {
             R"({"id":"4S64VDS0MK28J","sender":"shop@example.com","size":1500,"held":true,
                 "received":"2026-11-24T14:30:22.5Z","recipient":"a@x.test",
                 "last_reply":"451 4.7.1 later","last_host":"mx.x.test [192.0.2.1]:2600"})",
             R"({"id":"4S64VDS0MK28J","sender":"shop@example.com","size":1500,"held":true,
                 "received":"2026-11-24T14:30:22.5Z","recipient":"b@x.test",
                 "last_reply":"451 4.7.1 later","last_host":"mx.x.test [192.0.2.1]:2600"})",
             R"({"id":"4S64VDS0ZX1KV","sender":"","size":600,"received":"2026-11-03T04:05:06Z",
                 "due":"2026-11-24T14:59:59Z","recipient":"c@x.test"})",
             R"({"id":"4S64VDS14FV2Z","sender":"shop@example.com","size":40,
                 "received":"2026-11-24T14:30:22Z","due":"2026-11-24T16:00:00Z",
                 "recipient":"d@x.test","last_reply":"connection refused"})"}) {
        text += mailq.add(json::parse(row).as_object());
    }
    return text + mailq.end();
}

TEST(Mailq, IsPostfixsForm) {
    EXPECT_EQ(listing(Mailq::Form::people),
              "----Queue ID----- --Size-- ---Arrival Time---- --Sender/Recipient------\n"
              "4S64VDS0MK28J!        1500 Tue Nov 24 14:30:22 shop@example.com\n"
              "                             (host mx.x.test[192.0.2.1] said: 451 4.7.1 later)\n"
              "                                               a@x.test\n"
              "                                               b@x.test\n"
              "\n"
              "4S64VDS0ZX1KV*         600 Tue Nov  3 04:05:06 MAILER-DAEMON\n"
              "                                               c@x.test\n"
              "\n"
              "4S64VDS14FV2Z           40 Tue Nov 24 14:30:22 shop@example.com\n"
              "                                                          (connection refused)\n"
              "                                               d@x.test\n"
              "\n"
              "-- 2 Kbytes in 3 Requests.\n");
    EXPECT_EQ(Mailq(Mailq::Form::people, now).end(), "Mail queue is empty\n");
}

TEST(Mailq, AsJsonItIsPostqueueJ) {
    auto const text = listing(Mailq::Form::json);
    EXPECT_EQ(text.substr(0, text.find('\n')),
              R"({"queue_name":"hold","queue_id":"4S64VDS0MK28J","arrival_time":1795530622,)"
              R"("message_size":1500,"forced_expire":false,"sender":"shop@example.com",)"
              R"("recipients":[{"address":"a@x.test","delay_reason":"host mx.x.test[192.0.2.1] )"
              R"(said: 451 4.7.1 later"},{"address":"b@x.test","delay_reason":)"
              R"("host mx.x.test[192.0.2.1] said: 451 4.7.1 later"}]})");
    EXPECT_EQ(Mailq(Mailq::Form::json, now).end(), "");
}

TEST(Mailq, NothingThatCameWithMailMakesALine) {
    Mailq mailq(Mailq::Form::people, now);
    mailq.add(json::object{{"id", "4S64VDS0MK28J"},
                           {"sender", "a\n-- 0 Kbytes in 0 Requests."},
                           {"recipient", "x\x1b[2J@y.test"}});
    auto const text = mailq.end();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 5);
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace millrace::relay
