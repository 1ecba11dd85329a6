// Goal: what an operator has stopped stays stopped, whatever the relay goes through, and starts
// again when he says so.
#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "common/virtual/network.hpp"
#include "common/virtual/receiver.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "relay/relay.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;

class OrdersTest : public testing::Test {
  protected:
    OrdersTest() {
        auto wanted = std::make_shared<config::Settings>();
        wanted->relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "127.0.0.1";
        listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
        wanted->relay.listeners = {listener};
        config::Source source;
        source.address = "192.0.2.1";
        wanted->relay.sources = {source};
        settings = wanted;
        zones.names["site.example"].mx = {{10, "mx.site.example"}};
        zones.names["mx.site.example"].addresses = {site.at().address};
    }
    ~OrdersTest() override {
        stop();
        world.drop_all();
        machine.drop_all();
        simulation.shutdown();
    }

    void start() {
        spool = std::make_unique<MemorySpool>(
            disk, machine.executor(), machine, log, MemorySpool::Options{});
        auto listeners = open_listeners(network, settings->relay);
        ASSERT_TRUE(listeners);
        relay = std::make_unique<Relay>(
            World{
                machine.executor(), machine, random, network, resolver, *spool, pool, log, metrics},
            settings,
            std::move(*listeners));
        relay->start();
        run(1s);
    }
    void stop() {
        if (!relay) return;
        bool stopped = false;
        auto end = [](Relay& r, Time by, bool& done) -> Task<void> {
            co_await r.stop(by);
            done = true;
        };
        talks.spawn(end(*relay, simulation.now() + 20s, stopped));
        EXPECT_TRUE(simulation.run_until([&] { return stopped; }, simulation.now() + 30s));
        relay.reset();
        spool.reset();
    }
    void run(Duration d) { simulation.run_until(simulation.now() + d); }

    void send() {
        auto talk = [](Network& wire, Time by, std::string& heard) -> Task<void> {
            auto stream = co_await wire.connect({make_address("127.0.0.1"), 2525}, {}, by);
            if (!stream) co_return;
            std::vector<char> buffer(4096);
            for (const std::string& line :
                 {std::string("EHLO app.example\r\n"),
                  std::string("MAIL FROM:<app@client.example>\r\n"),
                  std::string("RCPT TO:<you@site.example>\r\n"),
                  std::string("DATA\r\n"),
                  std::string("From: app@client.example\r\nTo: you@site.example\r\nSubject: x\r\n"
                              "\r\nhello\r\n.\r\n")}) {
                co_await (*stream)->read_some(buffer);
                co_await (*stream)->write(line);
            }
            auto const got = co_await (*stream)->read_some(buffer);
            if (got) heard.assign(buffer.data(), *got);
        };
        std::string heard;
        talks.spawn(talk(network, simulation.now() + 10s, heard));
        simulation.run_until([&] { return !heard.empty(); }, simulation.now() + 10s);
        ASSERT_EQ(heard.substr(0, 3), "250") << heard;
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
        std::optional<Result<void>> got;
        auto hear = [](Task<Result<void>> what, std::optional<Result<void>>& into) -> Task<void> {
            into = co_await std::move(what);
        };
        talks.spawn(hear(std::move(asked), got));
        EXPECT_TRUE(simulation.run_until([&] { return got.has_value(); }, simulation.now() + 10s));
        return !got || *got ? std::string() : got->error().detail;
    }

    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'795'507'200'000)};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    virtual_::Machine& world{simulation.machine("world")};
    Network& network{wires.plug(machine, {make_address("192.0.2.1")})};
    Network& outside{wires.plug(world, {make_address("203.0.113.1")})};
    virtual_::Receiver site{
        world, outside, random, {make_address("203.0.113.1"), 25}, "mx.site.example"};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
};

TEST_F(OrdersTest, APauseOutlivesARestartAndItsMailDoesNotExpire) {
    start();
    EXPECT_EQ(pause("site.example"), "");
    send();
    run(24h);
    stop();
    start();
    EXPECT_EQ(relay->operations().orders().size(), 1U);
    run(24h * 9);  // far longer than mail is kept
    EXPECT_TRUE(site.taken().empty());
    EXPECT_EQ(disk->durable().works.size(), 1U);
    EXPECT_EQ(resume("site.example"), "");
    run(1min);
    EXPECT_EQ(site.taken().size(), 1U);
    stop();
    start();
    EXPECT_TRUE(relay->operations().orders().empty());
}

TEST_F(OrdersTest, APauseThatEndsByItselfEndsWhileTheRelayIsDownToo) {
    start();
    EXPECT_EQ(pause("all", simulation.now() + 1h), "");
    send();
    run(30min);
    stop();
    run(1h);
    start();
    run(1min);
    EXPECT_EQ(site.taken().size(), 1U);
    EXPECT_TRUE(relay->operations().orders().empty());
}

TEST_F(OrdersTest, NothingLeavesFromAPausedSource) {
    start();
    EXPECT_EQ(pause("192.0.2.9"), "192.0.2.9 is none of relay.sources");
    EXPECT_EQ(pause("192.0.2.1"), "");
    send();
    run(3h);
    EXPECT_TRUE(site.taken().empty());
    EXPECT_TRUE(site.answers().empty()) << "the receiver hears nothing of it";
    ASSERT_EQ(disk->durable().works.size(), 1U);
    EXPECT_EQ(disk->durable().works.begin()->second->attempts, 0U);
    EXPECT_EQ(resume("192.0.2.1"), "");
    run(15s);
    EXPECT_EQ(site.taken().size(), 1U);
    EXPECT_EQ(site.taken().at(0).source, make_address("192.0.2.1"));
}

TEST_F(OrdersTest, AnOpenConnectionOfAPausedSourceTakesNoMore) {
    start();
    send();
    run(1s);  // delivered; the connection waits for more
    EXPECT_EQ(site.taken().size(), 1U);
    EXPECT_EQ(pause("192.0.2.1"), "");
    send();
    run(1h);
    EXPECT_EQ(site.taken().size(), 1U);
    EXPECT_EQ(resume("192.0.2.1"), "");
    run(15s);
    EXPECT_EQ(site.taken().size(), 2U);
}

}  // namespace
}  // namespace millrace::relay
