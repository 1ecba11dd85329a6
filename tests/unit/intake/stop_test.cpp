#include <gtest/gtest.h>

#include "tests/unit/intake/house.hpp"

// Goal: a relay that stops loses no message and makes no MTA in front defer one.
namespace millrace::relay::test {
namespace {


TEST(Stop, IdleSessionsAreToldAndMessagesEnd) {
    auto settings = House::defaults();
    settings.relay.listeners[0].profile = config::Profile::submission;
    House house(settings);
    Client& idle = house.greeted();
    Client& in_mail = house.greeted({"MAIL FROM:<a@b.example>"});
    Client& busy = house.in_data();
    house.say(busy, House::message());
    house.stop(20s);
    house.run(1s);
    EXPECT_EQ(idle.news().substr(0, 9), "421 4.3.2");
    EXPECT_EQ(in_mail.news().substr(0, 9), "421 4.3.2");
    EXPECT_TRUE(idle.over && in_mail.over);
    EXPECT_FALSE(busy.over);
    EXPECT_FALSE(house.ended);
    EXPECT_TRUE(house.connect().refused);
    const std::string answer = house.say(busy, ".\r\n");
    EXPECT_TRUE(answer.starts_with("250 2.0.0 ")) << answer;
    EXPECT_NE(answer.find("\r\n421 4.3.2"), std::string::npos);
    house.run(1s);
    EXPECT_TRUE(house.ended);
    EXPECT_EQ(house.shelf.taken.size(), 1U);
}

// Postfix defers when a connection breaks on its way into a message, and only tries another one
// when it breaks while it rests.
TEST(Stop, AnMtaOnItsWayIntoAMessageIsLetFinishIt) {
    House house;
    Client& greeted = house.greeted();
    Client& in_mail = house.greeted({"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"});
    Client& resting = house.in_data();
    house.say(resting, House::message() + ".\r\n");
    Client& awake = house.in_data();
    house.say(awake, House::message() + ".\r\n");
    house.say(awake, "RSET\r\n");
    house.stop(20s);
    house.run(1s);
    EXPECT_EQ(resting.news().substr(0, 9), "421 4.3.2");
    EXPECT_TRUE(resting.over);
    for (Client* client : {&greeted, &in_mail, &awake}) {
        EXPECT_EQ(client->news(), "");
        EXPECT_FALSE(client->over);
    }
    const std::string letter = House::message() + ".\r\n";
    const std::string envelope = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n";
    for (Client* client : {&greeted, &awake}) {
        EXPECT_TRUE(house.say(*client, envelope).starts_with("250 2.1.0 "));
    }
    for (Client* client : {&greeted, &in_mail, &awake}) {
        EXPECT_TRUE(house.say(*client, "DATA\r\n").starts_with("354"));
        const std::string answer = house.say(*client, letter);
        EXPECT_TRUE(answer.starts_with("250 2.0.0 ")) << answer;
        EXPECT_NE(answer.find("\r\n421 4.3.2"), std::string::npos) << "one message, not more";
    }
    house.run(1s);
    EXPECT_TRUE(house.ended);
    EXPECT_EQ(house.shelf.taken.size(), 5U);
}

TEST(Stop, AnMtaThatFallsSilentIsWaitedForAMomentOnly) {
    House house;
    Client& silent = house.greeted();
    house.stop(20s);
    house.run(4s);
    EXPECT_FALSE(silent.over);
    house.run(2s);
    EXPECT_TRUE(silent.over);
    EXPECT_TRUE(house.ended);
}

TEST(Stop, TheDeadlineEndsWhatDoesNot) {
    House house;
    Client& busy = house.in_data();
    house.say(busy, "half");
    house.stop(20s);
    house.run(19s);
    EXPECT_FALSE(house.ended);
    house.run(2s);
    EXPECT_TRUE(house.ended);
    EXPECT_TRUE(busy.over);
    EXPECT_TRUE(house.shelf.taken.empty());
}

}  // namespace
}  // namespace millrace::relay::test
