// Goal: a whole relay with several sources, in virtual time: every message leaves from its own, a
// restart renews nothing, and an address that is not in order is not used.
#include <algorithm>
#include <set>

#include <boost/json.hpp>
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

class SourcesTest : public testing::Test {
  protected:
    SourcesTest() {
        wanted.relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "127.0.0.1";
        listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
        wanted.relay.listeners = {listener};
        for (const char* name : {"one.example", "two.example"}) {
            zones.names[name].mx = {{10, std::string("mx.") + name}};
        }
        zones.names["mx.one.example"].addresses = {one.at().address};
        zones.names["mx.two.example"].addresses = {two.at().address, make_address("2001:db8:9::2")};
    }
    ~SourcesTest() override {
        stop();
        world.drop_all();
        machine.drop_all();
        simulation.shutdown();
    }

    config::Source& source(const std::string& address, const std::string& name) {
        config::Source s;
        s.address = address;
        s.name = name;
        wanted.relay.sources.push_back(s);
        return wanted.relay.sources.back();
    }
    void start() {
        settings = std::make_shared<config::Settings>(wanted);
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

    void send(unsigned count, const std::string& domain, const std::string& from = "shop.example") {
        auto talk = [](Network& wire,
                       Time by,
                       unsigned n,
                       unsigned first,
                       std::string to,
                       std::string sender,
                       unsigned& taken) -> Task<void> {
            auto stream = co_await wire.connect({make_address("127.0.0.1"), 2525}, {}, by);
            if (!stream) co_return;
            (*stream)->expires_at(by);
            std::vector<char> buffer(4096);
            auto say = [&](std::string line) -> Task<std::string> {
                co_await (*stream)->write(line);
                auto const got = co_await (*stream)->read_some(buffer);
                co_return got ? std::string(buffer.data(), *got) : std::string();
            };
            co_await (*stream)->read_some(buffer);
            co_await say("EHLO app.example\r\n");
            for (unsigned i = 0; i < n; ++i) {
                auto const rcpt = "r" + std::to_string(first + i) + "@" + to;
                co_await say("MAIL FROM:<app@" + sender + ">\r\n");
                co_await say("RCPT TO:<" + rcpt + ">\r\n");
                co_await say("DATA\r\n");
                auto const end = co_await say("From: app@" + sender + "\r\nTo: " + rcpt +
                                              "\r\nSubject: x\r\n\r\nhello\r\n.\r\n");
                if (end.starts_with("250")) ++taken;
            }
        };
        unsigned taken = 0;
        talks.spawn(talk(network, simulation.now() + 1h, count, sent, domain, from, taken));
        sent += count;
        simulation.run_until([&] { return taken == count; }, simulation.now() + 10min);
        ASSERT_EQ(taken, count);
    }

    static std::map<std::string, unsigned> by_source(const virtual_::Receiver& receiver) {
        std::map<std::string, unsigned> all;
        for (auto const& taken : receiver.taken())
            ++all[taken.source.to_string()];
        return all;
    }
    template <class T>
    std::optional<T> answer(Task<Result<T>> asked) {
        std::optional<Result<T>> got;
        auto hear = [](Task<Result<T>> what, std::optional<Result<T>>& into) -> Task<void> {
            into.emplace(co_await std::move(what));
        };
        talks.spawn(hear(std::move(asked), got));
        EXPECT_TRUE(simulation.run_until([&] { return got.has_value(); }, simulation.now() + 10s));
        if (!got || !*got) return std::nullopt;
        return std::move(**got);
    }
    std::vector<Alert> alerts() {
        auto status = answer(relay->operations().status());
        return status ? status->alerts : std::vector<Alert>{};
    }

    config::Settings wanted;
    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'795'507'200'000)};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    virtual_::Machine& world{simulation.machine("world")};
    Network& network{wires.plug(machine,
                                {make_address("192.0.2.1"),
                                 make_address("192.0.2.2"),
                                 make_address("192.0.2.3"),
                                 make_address("2001:db8::1")})};
    Network& outside{wires.plug(
        world,
        {make_address("203.0.113.1"), make_address("203.0.113.2"), make_address("2001:db8:9::2")})};
    virtual_::Receiver one{
        world, outside, random, {make_address("203.0.113.1"), 25}, "mx.one.example"};
    virtual_::Receiver two{
        world, outside, random, {make_address("203.0.113.2"), 25}, "mx.two.example"};
    virtual_::Receiver two6{
        world, outside, random, {make_address("2001:db8:9::2"), 25}, "mx.two.example"};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
    unsigned sent = 0;
};

TEST_F(SourcesTest, MailIsSharedOutByWeightAndPool) {
    source("192.0.2.1", "a");
    source("192.0.2.2", "b").weight = 3;
    source("192.0.2.3", "c");
    wanted.relay.pools = {{"two", {"c"}, {}, {"other.example"}}, {"rest", {"a", "b"}, {}, {}}};
    start();
    send(200, "one.example");
    send(50, "two.example", "other.example");
    run(10min);
    auto const shares = by_source(one);
    EXPECT_NEAR(shares.at("192.0.2.1"), 50, 30);
    EXPECT_NEAR(shares.at("192.0.2.2"), 150, 30);
    EXPECT_FALSE(shares.contains("192.0.2.3"));
    EXPECT_EQ(by_source(two), (std::map<std::string, unsigned>{{"192.0.2.3", 50}}));
}

TEST_F(SourcesTest, ARetryComesFromTheSourceThatWasPutOff) {
    one.manners.greylist = 3min;
    source("192.0.2.1", "a");
    source("192.0.2.2", "b");
    source("192.0.2.3", "c");
    start();
    send(60, "one.example");
    run(2min);
    stop();
    start();
    run(2h);
    ASSERT_EQ(one.taken().size(), 60U);
    std::map<std::string, std::set<std::string>> from;
    for (auto const& [id, event] : disk->durable().events) {
        if (!event->source_ip.empty()) from[event->recipient].insert(event->source_ip);
    }
    EXPECT_EQ(from.size(), 60U);
    for (auto const& [recipient, addresses] : from)
        EXPECT_EQ(addresses.size(), 1U) << recipient;
    EXPECT_EQ(by_source(one).size(), 3U);
}

TEST_F(SourcesTest, AnAddressThatIsNotOursIsToldOfAndCostsNoMail) {
    source("192.0.2.1", "a");
    source("192.0.2.99", "gone");
    start();
    send(60, "one.example");
    run(10min);
    EXPECT_EQ(one.taken().size(), 60U);
    EXPECT_EQ(by_source(one).size(), 1U);
    auto const status = answer(relay->operations().status());
    ASSERT_TRUE(status);
    ASSERT_FALSE(status->problems.empty());
    EXPECT_EQ(status->problems.front().what, "delivery.cannot-send");
}

TEST_F(SourcesTest, AnIpv6AddressIsUsedOnlyWhileItsNameLeadsBack) {
    source("2001:db8::1", "six");
    start();
    send(5, "two.example");
    run(3min);
    EXPECT_TRUE(two6.answers().empty()) << "nothing is tried from it";
    auto const queue = answer(relay->operations().providers());
    ASSERT_TRUE(queue && !queue->empty());
    EXPECT_NE(queue->front().cause.find("2001:db8::1 has no reverse name"), std::string::npos)
        << queue->front().cause;
    auto const told = alerts();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].kind, "source-name");
    zones.add_reverse(make_address("2001:db8::1"), "out6.example");
    run(10min);
    EXPECT_TRUE(two6.taken().empty()) << "the name does not lead back yet";
    zones.names["out6.example"].addresses = {make_address("2001:db8::1")};
    run(2h);
    EXPECT_EQ(two6.taken().size(), 5U);
    EXPECT_TRUE(alerts().empty());
    // A name server that is down changes nothing.
    zones.names["out6.example"].fails = true;
    run(3h);
    send(5, "two.example");
    run(1min);
    EXPECT_EQ(two6.taken().size(), 10U);
}

TEST_F(SourcesTest, OfAPairTheIpv4AddressGoesOnAlone) {
    source("192.0.2.1", "pair");
    source("2001:db8::1", "pair");
    start();
    send(20, "two.example");
    run(10min);
    EXPECT_EQ(two.taken().size(), 20U);
    EXPECT_TRUE(two6.answers().empty());
    zones.add_reverse(make_address("2001:db8::1"), "out6.example");
    zones.names["out6.example"].addresses = {make_address("2001:db8::1")};
    run(2h);
    for (int i = 0; i < 10; ++i) {
        send(3, "two.example");
        run(5min);
    }
    EXPECT_GT(two6.taken().size(), 0U);
    EXPECT_EQ(two.taken().size() + two6.taken().size(), 50U);
}

TEST_F(SourcesTest, AWarmUpIsKeptThroughRestartsAndEndsByAHistory) {
    auto& cold = source("192.0.2.1", "cold");
    cold.warm_up = true;
    cold.warm_up_first = 40;
    start();
    send(60, "one.example");
    run(10min);
    EXPECT_EQ(one.taken().size(), 5U);
    for (int i = 0; i < 5; ++i) {
        stop();
        start();
        run(5min);
    }
    EXPECT_EQ(one.taken().size(), 5U) << "a restart grants nothing";
    auto const status = answer(relay->operations().status());
    ASSERT_TRUE(status);
    ASSERT_EQ(status->warming.size(), 1U);
    EXPECT_EQ(status->warming[0].source, "cold");
    EXPECT_EQ(status->warming[0].receivers, 1U);
    EXPECT_NE(status->warming[0].ends, never);
    auto const places = answer(relay->operations().providers());
    ASSERT_TRUE(places && places->size() == 1);
    EXPECT_EQ(places->front().source, "cold");
    EXPECT_EQ(places->front().queued, 55U);
    EXPECT_NE(places->front().cause.find("is being warmed up"), std::string::npos);
    EXPECT_EQ(places->front().allowances.front().what, "warm-up");
    auto mark = [](Relay& r, bool& done, std::string name) -> Task<void> {
        done = (co_await r.operations().mark_warm(name)).has_value();
    };
    bool marked = false;
    talks.spawn(mark(*relay, marked, "cold"));
    run(1min);
    EXPECT_TRUE(marked);
    EXPECT_EQ(one.taken().size(), 60U);
    // Durable, and true of receivers that had no mail yet.
    stop();
    start();
    send(40, "two.example");
    run(5min);
    EXPECT_EQ(two.taken().size(), 40U);
}

TEST_F(SourcesTest, TheOverflowOfAWarmUpIsCountedAtItsSource) {
    source("192.0.2.1", "cold").warm_up = true;
    source("192.0.2.2", "warm");
    start();
    send(100, "one.example");
    run(10min);
    EXPECT_EQ(one.taken().size(), 100U);
    EXPECT_EQ(by_source(one).at("192.0.2.1"), 7U) << "an eighth of 50";
}

TEST_F(SourcesTest, WhatWasLearnedBeforeTheSourceHadANameHolds) {
    one.manners.blocks_after = 1;
    one.manners.block = 24h;
    start();
    send(3, "one.example");
    run(1min);
    auto const knocks = one.answers().size();
    ASSERT_GT(knocks, 0U);
    stop();
    source("192.0.2.1", "a");
    source("192.0.2.2", "b");
    start();
    send(10, "one.example");
    run(30min);
    EXPECT_EQ(one.answers().size(), knocks) << "it has shut us out for an hour";
}

TEST_F(SourcesTest, CeilingsOfAnHourOutliveARestart) {
    auto rules = config::parse_shaping(
        "providers = ( { name = \"one\"; match = { mx = [ "
        "\"mx.one.example\" ]; }; limits = { messages_per_hour = "
        "30; }; } );",
        "rules");
    ASSERT_TRUE(rules) << rules.error().detail;
    wanted.relay.shaping_rules = *rules;
    start();
    send(100, "one.example");
    run(20min);
    EXPECT_EQ(one.taken().size(), 30U);
    stop();
    start();
    run(20min);
    EXPECT_EQ(one.taken().size(), 30U);
    run(4h);
    EXPECT_EQ(one.taken().size(), 100U);
}

// Goal: what goes out in a minute is told of each source by itself.
TEST_F(SourcesTest, ThePaceIsShownForEachSource) {
    source("192.0.2.1", "a");
    source("192.0.2.2", "b");
    start();
    send(60, "one.example");
    run(20s);
    ASSERT_EQ(one.taken().size(), 60U);
    auto const from_a = std::ranges::count_if(one.taken(), [](auto const& taken) {
        return taken.source == make_address("192.0.2.1");
    });
    ASSERT_GT(from_a, 0);
    ASSERT_LT(from_a, 60);
    auto const places = answer(relay->operations().providers());
    ASSERT_TRUE(places && places->size() == 2);
    auto const& a = places->front().source == "a" ? places->front() : places->back();
    auto const& b = places->front().source == "a" ? places->back() : places->front();
    EXPECT_GT(b.rate, 0);
    EXPECT_NEAR(a.rate / (a.rate + b.rate), static_cast<double>(from_a) / 60, 0.01);
}

}  // namespace
}  // namespace millrace::relay
