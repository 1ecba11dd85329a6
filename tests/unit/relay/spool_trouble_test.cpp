// Goal: what the spool cannot take costs no more than it must: nothing is delivered twice, nobody
// goes untold, and a broken spool is given up at once.
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

/// Keeps what went wrong.
class Diary final : public Log {
  public:
    void write(Level level, std::string_view event, std::initializer_list<Field> fields) override {
        if (level == Level::error) errors.push_back(format_log_line(event, fields));
    }
    std::vector<std::string> errors;
};

class SpoolTroubleTest : public testing::Test {
  protected:
    SpoolTroubleTest() {
        auto wanted = std::make_shared<config::Settings>();
        wanted->relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "127.0.0.1";
        listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
        wanted->relay.listeners = {listener};
        settings = wanted;
        zones.names["site.example"].mx = {{10, "mx.site.example"}};
        zones.names["mx.site.example"].addresses = {site.at().address};
        zones.names["client.example"].mx = {{10, "mx.client.example"}};
        zones.names["mx.client.example"].addresses = {home.at().address};
        site.manners.tarpit = 1s;
    }
    ~SpoolTroubleTest() override {
        stop();
        // The receivers never end by themselves, and what they refer to goes before the machines.
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
        relay->on_broken = [this](const std::string&) {
            broken_at = simulation.now();
        };
        relay->start();
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

    /// Sends one message and returns as soon as it is ours.
    void send(std::vector<std::string> recipients) {
        auto talk = [](Network& wire, Time by, std::string rcpt, std::string& heard) -> Task<void> {
            auto stream = co_await wire.connect({make_address("127.0.0.1"), 2525}, {}, by);
            if (!stream) co_return;
            std::vector<char> buffer(4096);
            for (const std::string& line :
                 {std::string("EHLO app.example\r\n"),
                  std::string("MAIL FROM:<app@client.example>\r\n"),
                  rcpt,
                  std::string("DATA\r\n"),
                  std::string("From: app@client.example\r\nTo: you@site.example\r\nSubject: x\r\n"
                              "\r\nhello\r\n.\r\n")}) {
                co_await (*stream)->read_some(buffer);
                co_await (*stream)->write(line);
            }
            auto const got = co_await (*stream)->read_some(buffer);
            if (got) heard.assign(buffer.data(), *got);
        };
        std::string rcpt, heard;
        for (auto const& recipient : recipients)
            rcpt += "RCPT TO:<" + recipient + ">\r\n";
        talks.spawn(talk(network, simulation.now() + 10s, rcpt, heard));
        simulation.run_until([&] { return !heard.empty(); }, simulation.now() + 10s);
        ASSERT_EQ(heard.substr(0, 3), "250") << heard;
    }
    static std::vector<std::string> told(const virtual_::Receiver& who) {
        std::vector<std::string> all;
        for (auto const& taken : who.taken())
            all.insert(all.end(), taken.recipients.begin(), taken.recipients.end());
        return all;
    }
    /// The recipients that still wait, as a restart would find them.
    std::vector<std::string> waiting() const {
        std::vector<std::string> all;
        for (auto const& [key, work] : disk->durable().works)
            all.push_back(work->recipient);
        return all;
    }

    using Names = std::vector<std::string>;
    Diary log;
    virtual_::Simulation simulation{from_unix_millis(1'795'507'200'000)};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    virtual_::Machine& world{simulation.machine("world")};
    Network& network{wires.plug(machine, {make_address("192.0.2.1")})};
    Network& outside{wires.plug(world, {make_address("203.0.113.1"), make_address("203.0.113.2")})};
    virtual_::Receiver site{
        world, outside, random, {make_address("203.0.113.1"), 25}, "mx.site.example"};
    virtual_::Receiver home{
        world, outside, random, {make_address("203.0.113.2"), 25}, "mx.client.example"};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
    Time broken_at = never;
};

TEST_F(SpoolTroubleTest, ADeliveryIsKeptThoughTheNoticeBesideItDoesNotFit) {
    site.manners.recipients["nobody@site.example"] = "550 5.1.1 no such user";
    site.manners.recipients["later@site.example"] = "451 4.3.0 local trouble";
    start();
    send({"friend@site.example", "nobody@site.example", "later@site.example"});
    disk->capacity = disk->durable().body_bytes + 10;
    disk->reserve = 5;
    run(20s);  // before the next attempt
    EXPECT_EQ(told(site), Names{"friend@site.example"});
    EXPECT_EQ(waiting(), (Names{"nobody@site.example", "later@site.example"}));
    for (auto const& [key, work] : disk->durable().works) {
        EXPECT_EQ(work->attempts, work->recipient == "later@site.example" ? 1U : 0U)
            << work->recipient << ": a deferral waits for no notice either";
    }

    stop();
    EXPECT_TRUE(log.errors.empty()) << log.errors.front();
    site.manners.recipients.erase("later@site.example");
    disk->capacity = UINT64_MAX;
    start();
    run(1h);
    EXPECT_EQ(told(site), (Names{"friend@site.example", "later@site.example"})) << "once each";
    EXPECT_EQ(told(home), Names{"app@client.example"});
    EXPECT_NE(home.taken().at(0).bytes.find("nobody@site.example"), std::string::npos);
    EXPECT_TRUE(waiting().empty());
}

TEST_F(SpoolTroubleTest, ANoticeThatFitsLaterIsWrittenThen) {
    site.manners.recipients["nobody@site.example"] = "550 5.1.1 no such user";
    start();
    send({"friend@site.example", "nobody@site.example"});
    disk->capacity = disk->durable().body_bytes + 10;
    disk->reserve = 5;
    run(1min);
    EXPECT_EQ(waiting(), Names{"nobody@site.example"});
    disk->capacity = UINT64_MAX;
    run(1min);
    EXPECT_EQ(told(home), Names{"app@client.example"});
    EXPECT_TRUE(waiting().empty());
    std::size_t asked = 0;
    for (auto const& answer : site.answers())
        asked += answer.recipient == "nobody@site.example" ? 1 : 0;
    EXPECT_EQ(asked, 1U) << "the receiver is not asked again for the sake of our disk";
    EXPECT_TRUE(log.errors.empty()) << log.errors.front();
}

TEST_F(SpoolTroubleTest, ABrokenSpoolIsGivenUpWhoeverMeetsItFirst) {
    // A rate limit spends no attempt: the note of the pause is all that is written.
    site.manners.replies[virtual_::Moment::mail] = "450 4.7.1 rate limit exceeded, try later";
    start();
    run(2s);
    send({"friend@site.example"});
    disk->faults.failing_syncs = 1;
    auto const before = simulation.now();
    run(1min);
    ASSERT_NE(broken_at, never);
    EXPECT_LT(broken_at, before + 20s);
}

TEST_F(SpoolTroubleTest, ABrokenSpoolIsGivenUpThoughNobodyAsksIt) {
    start();
    run(10min);
    EXPECT_EQ(broken_at, never);
    disk->faults.failing_syncs = 1;
    auto put = [](Spool& s) -> Task<void> {
        EXPECT_FALSE(co_await s.put_note("x", "y"));
    };
    talks.spawn(put(*spool));
    run(10s);
    EXPECT_NE(broken_at, never);
}

}  // namespace
}  // namespace millrace::relay
