// Goal: what an operator has stopped stays stopped, whatever the relay goes through, and starts
// again when he says so.
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Orders : public RelayOnWires {
  protected:
    Orders() {
        config::Source source;
        source.address = "192.0.2.1";
        wanted.relay.sources = {source};
        site = &receiver("site.example", "203.0.113.1");
    }
    /// Empty: done.
    std::string pause(std::string_view about, Time until = never) {
        Order order{
            OrderVerb::pause, *OrderTarget::parse(about), simulation.now(), until, "uid 0", "test"};
        return outcome(relay->operations().order(std::move(order)));
    }
    std::string resume(std::string_view about) {
        return outcome(relay->operations().lift(*OrderTarget::parse(about)));
    }
    std::string outcome(Task<Result<void>> asked) {
        auto const got = wait(std::move(asked));
        return got ? std::string() : got.error().detail;
    }
    Receiver* site = nullptr;
};

TEST_F(Orders, APauseOutlivesARestartAndItsMailDoesNotExpire) {
    start();
    EXPECT_EQ(pause("site.example"), "");
    send({.to = "you@site.example"});
    run(24h);
    stop();
    start();
    EXPECT_EQ(relay->operations().orders().size(), 1U);
    run(24h * 9);  // far longer than mail is kept
    EXPECT_TRUE(site->taken().empty());
    EXPECT_EQ(disk->durable().works.size(), 1U);
    EXPECT_EQ(resume("site.example"), "");
    run(1min);
    EXPECT_EQ(site->taken().size(), 1U);
    stop();
    start();
    EXPECT_TRUE(relay->operations().orders().empty());
}

TEST_F(Orders, APauseThatEndsByItselfEndsWhileTheRelayIsDownToo) {
    start();
    EXPECT_EQ(pause("all", simulation.now() + 1h), "");
    send({.to = "you@site.example"});
    run(30min);
    stop();
    run(1h);
    start();
    run(1min);
    EXPECT_EQ(site->taken().size(), 1U);
    EXPECT_TRUE(relay->operations().orders().empty());
}

TEST_F(Orders, NothingLeavesFromAPausedSource) {
    start();
    EXPECT_EQ(pause("192.0.2.9"), "192.0.2.9 is none of relay.sources");
    EXPECT_EQ(pause("192.0.2.1"), "");
    send({.to = "you@site.example"});
    run(3h);
    EXPECT_TRUE(site->taken().empty());
    EXPECT_TRUE(site->answers().empty()) << "the receiver hears nothing of it";
    ASSERT_EQ(disk->durable().works.size(), 1U);
    EXPECT_EQ(disk->durable().works.begin()->second->attempts, 0U);
    EXPECT_EQ(resume("192.0.2.1"), "");
    run(15s);
    EXPECT_EQ(site->taken().size(), 1U);
    EXPECT_EQ(site->taken().at(0).source, ip("192.0.2.1"));
}

TEST_F(Orders, AnOpenConnectionOfAPausedSourceTakesNoMore) {
    start();
    send({.to = "you@site.example"});
    run(1s);  // delivered; the connection waits for more
    EXPECT_EQ(site->taken().size(), 1U);
    EXPECT_EQ(pause("192.0.2.1"), "");
    send({.to = "you@site.example"});
    run(1h);
    EXPECT_EQ(site->taken().size(), 1U);
    EXPECT_EQ(resume("192.0.2.1"), "");
    run(15s);
    EXPECT_EQ(site->taken().size(), 2U);
}

// Goal: who has had our address taken off a blocklist need not wait for hours; who has not makes
// matters worse by one message only.
TEST_F(Orders, ADoorThatIsShutIsTriedOnTheOperatorsWord) {
    site->manners.replies[Moment::recipient] =
        "450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
    start();
    for (int i = 0; i < 5; ++i)
        send({.to = "you@site.example"});
    run(10min);
    EXPECT_TRUE(site->taken().empty());
    auto const asked = site->answers().size();
    EXPECT_EQ(resume("site.example"), "");
    run(3h);
    EXPECT_LE(site->answers().size(), asked + 5) << "one conversation more";
    EXPECT_GT(site->answers().size(), asked);
    site->manners.replies.clear();
    EXPECT_EQ(resume("192.0.2.1"), "");
    run(15s);
    EXPECT_EQ(site->taken().size(), 5U);
    EXPECT_NE(resume("all").find("nothing there is shut"), std::string::npos);
}

TEST_F(Orders, ASendersDomainInOrderAgainIsTriedAtOnce) {
    site->manners.replies[Moment::dot] =
        "421 4.7.26 This email has been rate limited because it is unauthenticated.";
    start();
    send({.from = "anna@shop.example", .to = "you@site.example"});
    run(10min);
    site->manners.replies.clear();
    run(10min);
    EXPECT_TRUE(site->taken().empty());
    EXPECT_NE(resume("from:other.example"), "");
    EXPECT_EQ(resume("from:shop.example"), "");
    run(15s);
    EXPECT_EQ(site->taken().size(), 1U);
}

TEST_F(Orders, AServerThatIsBackIsTriedAtOnce) {
    zones.add_mail_domain("dead.example", "mx.dead.example", ip("203.0.113.9"));
    start();
    send({.to = "one@dead.example"});
    run(40s);
    auto& back = receiver("dead.example", "203.0.113.9");
    send({.to = "two@dead.example"});
    run(2s);
    ASSERT_TRUE(back.taken().empty()) << "it is not expected back yet";
    EXPECT_EQ(resume("dead.example"), "");
    run(2s);
    EXPECT_EQ(back.taken().size(), 1U);
}

}  // namespace
}  // namespace millrace::relay
