// Goal: no mail waits beyond its time, and no sender in the dark, whatever it is that keeps it: a
// block of days, a queue that is too long, a disk that holds all of it.
#include "relay/spool/stream.hpp"
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Lifetimes : public RelayOnWires {
  protected:
    Lifetimes() {
        home = &receiver("shop.example", "198.51.100.9");
        wanted.relay.delivery.delay_notice_after = 0s;
    }

    /// The receiver shuts us out for good, until a test says otherwise.
    Receiver& shut_door(const std::string& domain) {
        auto& mx = receiver(domain, "198.51.100.1");
        mx.manners.replies[Moment::mail] =
            "450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
        return mx;
    }
    std::vector<Event> ends() {
        std::vector<Event> found;
        for (auto const& [id, event] : disk->durable().events) {
            if (event->kind == EventKind::expired) found.push_back(*event);
        }
        return found;
    }
    Receiver* home = nullptr;  ///< of the senders
};

TEST_F(Lifetimes, MailBehindABlockIsGivenUpAtItsTime) {
    auto& mx = shut_door("listed.example");
    start();
    send(many(3, {.to = "bob@listed.example"}));
    auto const sent = simulation.now();
    run(24h * 5 - 10min);
    EXPECT_EQ(waiting().size(), 3U);
    EXPECT_TRUE(home->taken().empty());
    auto const asked = mx.answers().size();
    EXPECT_LT(asked, 20U) << "a block is knocked at rarely";
    run(15min);
    EXPECT_TRUE(waiting().empty());
    auto const given_up = ends();
    ASSERT_EQ(given_up.size(), 3U);
    for (auto const& event : given_up) {
        EXPECT_GE(event.at, sent + 24h * 5 - 2min);
        EXPECT_LE(event.at, sent + 24h * 5 + 2min);
        EXPECT_NE(event.reason.find("blocked using zen.spamhaus.org"), std::string::npos)
            << event.reason;
    }
    ASSERT_EQ(home->taken().size(), 3U);
    auto const& told = home->taken()[0].bytes;
    EXPECT_NE(told.find("could NOT be delivered"), std::string::npos) << told;
    EXPECT_NE(told.find("our address is on a blocklist"), std::string::npos) << told;
    EXPECT_NE(told.find("smtp; 450 4.7.1 Service unavailable;"), std::string::npos) << told;
    EXPECT_NE(told.find("Status: 4.4.7"), std::string::npos) << told;
    EXPECT_TRUE(log.errors.empty()) << log.errors.front();
}

TEST_F(Lifetimes, AlsoWhatIsOnDiskAlone) {
    wanted.relay.limits.window = 100;
    shut_door("listed.example");
    start();
    send(many(450, {.to = "bob@listed.example"}));
    run(24h);
    stop();
    start();
    run(24h * 4 + 10min);
    EXPECT_TRUE(waiting().empty());
    EXPECT_EQ(ends().size(), 450U);
    EXPECT_EQ(home->taken().size(), 450U);
}

TEST_F(Lifetimes, MailBehindABlockIsToldOfWhenItIsLate) {
    wanted.relay.delivery.delay_notice_after = 4h;
    shut_door("listed.example");
    start();
    send(many(2, {.to = "bob@listed.example", .notify = " NOTIFY=FAILURE,DELAY"}));
    run(3h + 55min);
    EXPECT_TRUE(home->taken().empty());
    run(10min);
    ASSERT_EQ(home->taken().size(), 2U);
    auto const& told = home->taken()[0].bytes;
    EXPECT_NE(told.find("NOT YET been delivered"), std::string::npos) << told;
    EXPECT_NE(told.find("our address is on a blocklist"), std::string::npos) << told;
    run(24h * 4);
    EXPECT_EQ(home->taken().size(), 2U) << "once";
    EXPECT_EQ(waiting().size(), 2U);
}

TEST_F(Lifetimes, AtAnOpenDoorTheLastAttemptGoesFirst) {
    // So slow that the queue is longer than the mail may live.
    auto& mx = receiver("slow.example", "198.51.100.1");
    mx.manners.messages_per_interval = 1;
    mx.manners.interval = 10min;
    wanted.relay.delivery.expire_after = 2h;
    start();
    send(many(60, {.to = "bob@slow.example"}));
    run(30min);
    send(many(3, {.to = "carl@slow.example"}));
    run(2h);
    // Nobody was left to wait, and nobody was refused at the end without having been offered.
    EXPECT_GT(mx.taken().size(), 8U);
    run(26h);
    EXPECT_TRUE(waiting().empty()) << waiting().size();
    EXPECT_EQ(mx.taken().size() + ends().size(), 63U);
}

TEST_F(Lifetimes, WhatAnOperatorHasStoppedDoesNotAge) {
    auto& mx = receiver("mail.example", "198.51.100.1");
    wanted.relay.delivery.expire_after = 5h;
    start();
    EXPECT_EQ(ask("pause", "", "mail.example")->failed, "");
    send(many(300, {.to = "bob@mail.example"}));
    auto const held = send({.to = "carl@mail.example"});
    EXPECT_EQ(ask("hold", held)->failed, "");
    run(24h);
    EXPECT_EQ(waiting().size(), 301U);
    EXPECT_EQ(ask("resume", "", "mail.example")->failed, "");
    run(10min);
    EXPECT_EQ(mx.taken().size(), 300U);
    EXPECT_EQ(ask("release", held)->failed, "");
    run(10min);
    EXPECT_EQ(mx.taken().size(), 301U);
    EXPECT_TRUE(ends().empty());
}

TEST_F(Lifetimes, ReasonsAreThoseOfEachRecipient) {
    shut_door("listed.example");
    auto& other = receiver("odd.example", "198.51.100.2");
    other.manners.replies[Moment::mail] =
        "421 4.7.28 Gmail has detected an unusual amount of unsolicited email originating from your "
        "IP address.";
    zones.add_mail_domain("odd.example", "aspmx.l.google.com", ip("198.51.100.2"));
    zones.names["odd.example"].mx = {{10, "aspmx.l.google.com"}};
    start();
    send({.to = "bob@listed.example", .more = {"eve@odd.example"}});
    run(24h * 5 + 10min);
    ASSERT_EQ(home->taken().size(), 1U) << "one notice for both";
    auto const& told = home->taken()[0].bytes;
    EXPECT_NE(told.find("zen.spamhaus.org"), std::string::npos) << told;
    EXPECT_NE(told.find("unusual amount"), std::string::npos) << told;
}

}  // namespace
}  // namespace millrace::relay
