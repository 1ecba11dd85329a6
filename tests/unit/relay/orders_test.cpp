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

}  // namespace
}  // namespace millrace::relay
