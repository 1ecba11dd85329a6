// Goal: whoever was refused is called back as soon as there is room, and nobody else is.
#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "common/virtual/network.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "relay/relay.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

class WakeTest : public testing::Test {
  protected:
    WakeTest() {
        auto wanted = std::make_shared<config::Settings>();
        wanted->relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "127.0.0.1";
        listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
        wanted->relay.listeners = {listener};
        wanted->relay.wake = {"/usr/sbin/postqueue", "-f"};
        settings = wanted;
    }
    ~WakeTest() override {
        if (relay) {
            bool stopped = false;
            auto stop = [](Relay& r, Time by, bool& done) -> Task<void> {
                co_await r.stop(by);
                done = true;
            };
            talks.spawn(stop(*relay, simulation.now() + 1s, stopped));
            EXPECT_TRUE(simulation.run_until([&] { return stopped; }, simulation.now() + 1min));
        }
        relay.reset();
        spool.reset();
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
        relay->wake = [this](const std::vector<std::string>& command) {
            EXPECT_EQ(command, settings->relay.wake);
            ++woken;
        };
        relay->start();
        run(1s);
    }
    void run(Duration d) { simulation.run_until(simulation.now() + d); }

    /// What MAIL is answered.
    std::string ask() {
        auto talk = [](Network& wire, Time by, std::string& heard) -> Task<void> {
            auto stream = co_await wire.connect(
                {boost::asio::ip::make_address("127.0.0.1"), 2525}, std::nullopt, by);
            if (!stream) co_return;
            std::vector<char> buffer(4096);
            for (const std::string line : {"EHLO mta.example\r\n", "MAIL FROM:<a@b.example>\r\n"}) {
                co_await (*stream)->read_some(buffer);
                co_await (*stream)->write(line);
            }
            const auto got = co_await (*stream)->read_some(buffer);
            if (got) heard.assign(buffer.data(), *got);
        };
        std::string heard;
        talks.spawn(talk(network, simulation.now() + 10s, heard));
        run(500ms);
        return heard.substr(0, 3);
    }

    NullLog log;
    virtual_::Simulation simulation{from_unix_millis(1'795'507'200'000)};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    Network& network{wires.plug(machine, {boost::asio::ip::make_address("192.0.2.1")})};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
    unsigned woken = 0;
};

TEST_F(WakeTest, AtTheStart) {
    start();
    EXPECT_EQ(woken, 1U);
    run(24h);
    EXPECT_EQ(woken, 1U);
}

TEST_F(WakeTest, WhenThereIsRoomAgain) {
    start();
    disk->capacity = 0;
    EXPECT_EQ(ask(), "452");
    EXPECT_EQ(ask(), "452");
    run(3h);
    EXPECT_EQ(woken, 1U) << "there is no room yet";
    disk->capacity = UINT64_MAX;
    run(2s);
    EXPECT_EQ(woken, 2U) << "once, however many were refused";
    EXPECT_EQ(ask(), "250");
    run(24h);
    EXPECT_EQ(woken, 2U);
}

TEST_F(WakeTest, NotWhenNobodyWasRefused) {
    start();
    disk->capacity = 0;
    run(1h);
    disk->capacity = UINT64_MAX;
    run(1h);
    EXPECT_EQ(woken, 1U);
}

TEST_F(WakeTest, AStartWithAFullDiskWakesNobodyUntilThereIsRoom) {
    disk->capacity = 0;
    start();
    run(1h);
    EXPECT_EQ(woken, 0U);
    disk->capacity = UINT64_MAX;
    run(2s);
    EXPECT_EQ(woken, 1U);
}

}  // namespace
}  // namespace millrace::relay
