// Goal: what a client tells of a message is kept as it was told: chunks, the attached MTA's word, the
// parameters of the envelope (reliability F1, L3, L10).
#include <gtest/gtest.h>

#include "tests/unit/intake/house.hpp"

namespace millrace::relay::test {
namespace {

TEST(Bdat, AMessageInChunks) {
    House house;
    Client& client = house.greeted({"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"});
    const std::string message = House::message("a\r\n.\r\nb\r\n");
    const std::string first = message.substr(0, 10), second = message.substr(10);
    EXPECT_EQ(house.say(client, "BDAT 10\r\n" + first).substr(0, 9), "250 2.0.0");
    EXPECT_EQ(house
                  .say(client,
                       "BDAT " + std::to_string(second.size()) + " LAST\r\n" + second + "RSET\r\n")
                  .substr(0, 23),
              "250 2.0.0 Ok: queued as");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    EXPECT_TRUE(house.shelf.taken[0].body->ends_with("a\r\n.\r\nb\r\n"));
}

TEST(Bdat, BareLineFeedAcrossChunksIsRefused) {
    House house;
    Client& client = house.greeted({"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"});
    house.say(client, "BDAT 1\r\nx");
    EXPECT_EQ(house.say(client, "BDAT 2 LAST\r\n\ny").substr(0, 9), "550 5.6.0");
}

TEST(Bdat, ResetForgetsTheChunks) {
    House house;
    Client& client = house.greeted({"MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>"});
    house.say(client, "BDAT 9\r\nSecret: x");
    EXPECT_EQ(house.code(client, "RSET"), "250");
    EXPECT_EQ(house.code(client, "MAIL FROM:<a@b.example>"), "250");
    EXPECT_EQ(house.code(client, "RCPT TO:<c@d.example>"), "250");
    const std::string message = House::message();
    house.say(client, "BDAT " + std::to_string(message.size()) + " LAST\r\n" + message);
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    EXPECT_EQ(house.shelf.taken[0].body->find("Secret"), std::string::npos);
}

TEST(Attached, WhatTheMtaTellsIsKept) {
    House house;
    Client& client = house.greeted({"XFORWARD NAME=app.example ADDR=203.0.113.9 IDENT=4ABCdef",
                                    "XFORWARD SOURCE=LOCAL",
                                    "MAIL FROM:<a@b.example>",
                                    "RCPT TO:<c@d.example>",
                                    "DATA"});
    house.say(client,
              "Received: by mx (Postfix, from userid 0) id 4OTHER; Tue, 24 Nov 2026 "
              "07:00:00 +0000\r\n" +
                  House::message() + ".\r\n");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    const Envelope& envelope = house.shelf.taken[0].envelope;
    EXPECT_EQ(envelope.client, "app.example [203.0.113.9]");
    EXPECT_EQ(envelope.mta_queue_id, "4ABCdef");
    const Duration age = envelope.received - envelope.born;
    EXPECT_GE(age, 1h);
    EXPECT_LT(age, 1h + 5s);
    EXPECT_EQ(house.shelf.taken[0].works[0].born, envelope.born);
}

TEST(Attached, TheQueueIdStandsInTheTraceField) {
    House house;
    Client& client = house.in_data();
    house.say(client,
              "Received: from app (app [203.0.113.9])\r\n\tby mx (Postfix) with ESMTP id "
              "4ABC\r\n\tfor <b@dest.example>; Mon, 23 Nov 2020 08:00:00 +0000\r\n" +
                  House::message() + ".\r\n");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    EXPECT_EQ(house.shelf.taken[0].envelope.mta_queue_id, "4ABC");
    EXPECT_EQ(house.shelf.taken[0].envelope.born, house.shelf.taken[0].envelope.received)
        << "a time years ago that the client did not write itself is not believed";
}

TEST(Attached, AnAgeBeyondTheQueuesLifeIsTheMtasOwnWord) {
    House house;
    Client& client = house.in_data();  // EHLO client.example
    house.say(client,
              "Received: by Client.Example (Postfix, from userid 0) id 4ABC; Mon, 16 Nov 2026 "
              "08:00:00 +0000\r\n" +
                  House::message() + ".\r\n");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    const Envelope& envelope = house.shelf.taken[0].envelope;
    const Duration age = envelope.received - envelope.born;
    EXPECT_GE(age, 8 * 24h);
    EXPECT_LT(age, 8 * 24h + 5s);
}

TEST(Attached, MailOfStrangersPassesTheGateUntouched) {
    House house;
    Client& client = house.greeted({"XFORWARD ADDR=203.0.113.9 SOURCE=REMOTE",
                                    "MAIL FROM:<a@b.example>",
                                    "RCPT TO:<c@d.example>",
                                    "DATA"});
    EXPECT_EQ(house.say(client, "X: no From\r\n\r\nbody\r\n.\r\n").substr(0, 3), "250");
    EXPECT_TRUE(house.shelf.taken.at(0).body->ends_with("X: no From\r\n\r\nbody\r\n"));
    Client& own = house.in_data();
    EXPECT_EQ(house.say(own, "X: no From\r\n\r\nbody\r\n.\r\n").substr(0, 9), "550 5.6.0");
    EXPECT_EQ(house.diary.count("intake.refused"), 1U);
}

TEST(Envelope, ParametersAreKept) {
    House house;
    Client& client = house.greeted({"MAIL FROM:<a@b.example> SMTPUTF8 RET=HDRS ENVID=x+2By",
                                    "RCPT TO:<C+d@B\xc3\xbc.Example> ORCPT=rfc822;c+2Bd@x "
                                    "NOTIFY=NEVER",
                                    "RCPT TO:<Postmaster>",
                                    "RCPT TO:<x@[192.0.2.7]>",
                                    "DATA"});
    house.say(client, House::message() + ".\r\n");
    ASSERT_EQ(house.shelf.taken.size(), 1U);
    const Envelope& envelope = house.shelf.taken[0].envelope;
    EXPECT_EQ(envelope.ret, "HDRS");
    EXPECT_EQ(envelope.envid, "x+2By");
    ASSERT_EQ(envelope.recipients.size(), 3U);
    EXPECT_EQ(envelope.recipients[0].address, "C+d@B\xc3\xbc.Example") << "as given";
    EXPECT_EQ(envelope.recipients[0].destination, "xn--b-eha.example");
    EXPECT_EQ(envelope.recipients[0].orcpt, "rfc822;c+2Bd@x");
    EXPECT_TRUE(envelope.recipients[0].notify.never);
    EXPECT_FALSE(envelope.recipients[1].notify.given);
    EXPECT_EQ(envelope.recipients[1].address, "Postmaster@relay.example");
    EXPECT_EQ(envelope.recipients[1].destination, "relay.example");
    EXPECT_EQ(envelope.recipients[2].destination, "[192.0.2.7]");
    EXPECT_EQ(house.shelf.taken[0].body->find("\tfor "), std::string::npos)
        << "several recipients: none is named";
}

TEST(Envelope, BesideAnMtaDelaysAreToldOnlyToWhoAskedForIt) {
    for (auto const profile : {config::Profile::attached, config::Profile::submission}) {
        config::Settings settings = House::defaults();
        settings.relay.listeners[0].profile = profile;
        House house(settings);
        Client& client = house.greeted({"MAIL FROM:<a@b.example>",
                                        "RCPT TO:<c@d.example>",
                                        "RCPT TO:<e@d.example> NOTIFY=DELAY,FAILURE",
                                        "DATA"});
        house.say(client, House::message() + ".\r\n");
        ASSERT_EQ(house.shelf.taken.size(), 1U);
        const auto& recipients = house.shelf.taken[0].envelope.recipients;
        EXPECT_EQ(recipients[0].notify.delay, profile == config::Profile::submission);
        EXPECT_TRUE(recipients[0].notify.failure);
        EXPECT_TRUE(recipients[1].notify.delay);
    }
}

}  // namespace
}  // namespace millrace::relay::test
