// Goal: `millrace why` answers so that a stranger to the code finds it right. A whole relay runs in
// virtual time into each situation; the answer as people read it stands in tests/data/why/NAME.txt.
// MILLRACE_WRITE_WHY=1 writes them anew: read what changed before keeping it.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "common/virtual/network.hpp"
#include "common/virtual/receiver.hpp"
#include "common/virtual/resolver.hpp"
#include "common/virtual/work_pool.hpp"
#include "relay/api/control_commands.hpp"
#include "relay/cli/views.hpp"
#include "relay/relay.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;
using virtual_::Moment;
using virtual_::Receiver;

Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

/// What the command would have read from the control socket.
class Heard final : public ControlSink {
  public:
    Task<bool> send(std::string line) override {
        auto const all = boost::json::parse(line).as_object();
        if (auto const* const item = all.if_contains("item")) items.push_back(item->as_object());
        if (auto const* const error = all.if_contains("error")) {
            failed = std::string(error->as_object().at("text").as_string());
        }
        done = done || !all.contains("item");
        co_return true;
    }
    std::vector<boost::json::object> items;
    std::string failed;
    bool done = false;
};

struct Letter {
    std::string from = "anna@shop.example";
    std::string to;
    bool bulk = false;
    std::string notify = {};  ///< parameter of RCPT
};

class Why : public testing::Test {
  protected:
    Why() {
        wanted.relay.hostname = "relay.example";
        config::Listener listener;
        listener.address = "127.0.0.1";
        listener.trusted = {*Network4or6::parse("127.0.0.0/8")};
        wanted.relay.listeners = {listener};
    }
    ~Why() override {
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
        world.reset();  // before the wires: ends of receivers still say so to them
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
    void run(Duration d) { simulation.run_until(simulation.now() + d); }

    Receiver& receiver(const std::string& domain, const char* address, std::string host = {}) {
        if (host.empty()) host = "mx." + domain;
        zones.add_mail_domain(domain, host, ip(address));
        auto& computer = simulation.machine(host);
        auto& wire = wires.plug(computer, {ip(address)});
        receivers.push_back(
            std::make_unique<Receiver>(computer, wire, random, Endpoint{ip(address), 25}, host));
        return *receivers.back();
    }

    /// Hands letters in, one after the other on one connection; the id of the last.
    std::string send(std::vector<Letter> letters) {
        auto talk = [](Network& wire, Time by, std::vector<Letter> all, std::string& id, bool& done)
            -> Task<void> {
            auto stream = co_await wire.connect({ip("127.0.0.1"), 2525}, std::nullopt, by);
            if (!stream) co_return;
            (*stream)->expires_at(by);
            std::vector<char> room(4096);
            auto heard = co_await (*stream)->read_some(room);
            std::vector<std::string> lines = {"EHLO app.example\r\n"};
            for (auto const& letter : all) {
                lines.push_back("MAIL FROM:<" + letter.from + ">\r\n");
                lines.push_back("RCPT TO:<" + letter.to + ">" + letter.notify + "\r\n");
                lines.push_back("DATA\r\n");
                lines.push_back("From: Anna <anna@shop.example>\r\nTo: <" + letter.to +
                                ">\r\nSubject: hello\r\nDate: Tue, 24 Nov 2026 08:00:00 +0000\r\n" +
                                (letter.bulk ? "List-Id: <news.shop.example>\r\n" : "") +
                                "\r\nhello\r\n.\r\n");
            }
            for (auto const& line : lines) {
                co_await (*stream)->write(line);
                heard = co_await (*stream)->read_some(room);
                if (!heard) co_return;
                std::string const said(room.data(), *heard);
                EXPECT_TRUE(said.starts_with("2") || said.starts_with("354")) << line << said;
                if (auto const at = said.find("queued as "); at != said.npos) {
                    id = said.substr(at + 10, 13);
                }
            }
            done = true;
        };
        std::string id;
        bool done = false;
        talks.spawn(talk(network, simulation.now() + 1h, std::move(letters), id, done));
        EXPECT_TRUE(simulation.run_until([&] { return done; }, simulation.now() + 1h));
        return id;
    }
    std::string send(Letter letter) { return send(std::vector{std::move(letter)}); }
    static std::vector<Letter> many(std::size_t n, const Letter& like) {
        return std::vector<Letter>(n, like);
    }

    std::shared_ptr<Heard> ask(const std::string& command,
                               const std::string& name,
                               const std::string& target = {}) {
        auto const heard = std::make_shared<Heard>();
        auto talk = [](Operations& operations,
                       Clock& clock,
                       Log& log,
                       std::string line,
                       std::shared_ptr<Heard> sink) -> Task<void> {
            ControlCommands commands(operations, clock, log, "uid 0");
            co_await commands.answer(std::move(line), *sink);
        };
        boost::json::object request{{"command", command}, {"reason", "removed"}};
        if (target.empty()) {
            request["name"] = name;
        } else {
            request["target"] = target;
            request["reason"] = "their server moves tonight";
        }
        auto line = boost::json::serialize(request);
        talks.spawn(talk(relay->operations(), machine, log, std::move(line), heard));
        EXPECT_TRUE(simulation.run_until([&] { return heard->done; }, simulation.now() + 1min));
        return heard;
    }
    std::string why(const std::string& name) {
        auto const heard = ask("why", name);
        if (!heard->failed.empty()) return heard->failed + "\n";
        return view_why(heard->items, simulation.now(), {});
    }

    static void compare(const std::string& name, std::string text) {
        auto const file = MILLRACE_SOURCE_DIR "/tests/data/why/" + name + ".txt";
        if (std::getenv("MILLRACE_WRITE_WHY") != nullptr) std::ofstream(file) << text;
        std::ifstream in(file);
        std::ostringstream kept;
        kept << in.rdbuf();
        EXPECT_EQ(text, kept.str()) << file;
    }
    /// The answer for `asked` is the one that is kept under `name`.
    void expect(const std::string& name, const std::string& asked) { compare(name, why(asked)); }

    config::Settings wanted;
    NullLog log;
    std::unique_ptr<virtual_::Simulation> world =
        std::make_unique<virtual_::Simulation>(from_unix_millis(1'795'507'200'000));
    virtual_::Simulation& simulation{*world};
    SeededRandom random{1};
    virtual_::VirtualNetwork wires{simulation, random};
    virtual_::VirtualZones zones;
    virtual_::Machine& machine{simulation.machine("relay")};
    Network& network{wires.plug(machine, {ip("192.0.2.1")})};
    virtual_::VirtualResolver resolver{machine, random, zones};
    virtual_::VirtualWorkPool pool{machine, random, 1ms};
    Metrics metrics;
    TaskGroup talks{machine.executor(), log, "talks"};
    config::Snapshot settings;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::vector<std::unique_ptr<Receiver>> receivers;
    std::unique_ptr<MemorySpool> spool;
    std::unique_ptr<Relay> relay;
};

TEST_F(Why, AConnectionIsBeingOpened) {
    receiver("slow.example", "198.51.100.1").manners.black_hole = true;
    start();
    auto const id = send({.to = "bob@slow.example"});
    run(5s);
    expect("01-connecting", id);
}

TEST_F(Why, ItIsBeingDelivered) {
    receiver("slow.example", "198.51.100.1").manners.tarpit = 10s;
    start();
    auto const id = send({.to = "bob@slow.example"});
    run(35s);
    expect("02-being-delivered", id);
}

TEST_F(Why, TheReceiverTakesTwoConnections) {
    auto& mx = receiver("busy.example", "198.51.100.1");
    mx.manners.connections_max = 2;
    mx.manners.tarpit = 1s;
    start();
    auto const id = send(many(300, {.to = "bob@busy.example"}));
    run(5min);
    expect("03-connections-learned", id);
}

TEST_F(Why, TheReceiverWasTooFastlyServed) {
    receiver("brisk.example", "198.51.100.1").manners.messages_per_interval = 20;
    start();
    auto const id = send(many(100, {.to = "bob@brisk.example"}));
    run(20s);
    expect("04-too-fast-rest", id);
}

TEST_F(Why, TheRateIsKnown) {
    auto& mx = receiver("brisk.example", "198.51.100.1");
    mx.manners.messages_per_interval = 20;
    mx.manners.interval = 1min;
    start();
    auto const id = send(many(1'500, {.to = "bob@brisk.example"}));
    run(20min);
    expect("05-rate-known", id);
}

TEST_F(Why, Greylisted) {
    receiver("grey.example", "198.51.100.1").manners.greylist = 4min;
    start();
    auto const id = send({.to = "bob@grey.example"});
    run(10s);
    expect("06-greylisted", id);
    run(10min);
    expect("07-delivered-after-greylisting", id);
}

TEST_F(Why, TheMailboxIsFull) {
    receiver("mail.example", "198.51.100.1").manners.recipients["bob@mail.example"] =
        "452 4.2.2 The recipient's mailbox is full";
    start();
    auto const id = send({.to = "bob@mail.example", .notify = " NOTIFY=NEVER"});
    run(10s);
    expect("08-mailbox-full", id);
}

TEST_F(Why, NobodyAnswersThere) {
    zones.add_mail_domain("dead.example", "mx.dead.example", ip("198.51.100.9"));
    start();
    auto const id = send({.to = "bob@dead.example"});
    run(20min);
    expect("09-unreachable", id);
    run(24h * 5);
    expect("10-given-up", id);
}

TEST_F(Why, NobodyAnsweredAMomentAgo) {
    zones.add_mail_domain("dead.example", "mx.dead.example", ip("198.51.100.9"));
    start();
    send({.to = "bob@dead.example"});
    run(40s);
    auto const id = send({.to = "carl@dead.example"});
    run(1s);
    expect("28-new-mail-for-the-dead", id);
}

TEST_F(Why, TheNameServersFail) {
    zones.names["broken.example"].fails = true;
    start();
    auto const id = send({.to = "bob@broken.example"});
    run(2min);
    expect("11-no-name-service", id);
}

TEST_F(Why, OurReputationIsBad) {
    receiver("one.example", "198.51.100.1", "aspmx.l.google.com").manners.replies[Moment::mail] =
        "421 4.7.28 Gmail has detected an unusual amount of unsolicited email originating from "
        "your "
        "IP address. To protect our users from spam, email sent from your IP address has been "
        "temporarily blocked.";
    start();
    auto const id = send(many(3, {.to = "bob@one.example"}));
    run(10min);
    expect("12-reputation", id);
    expect("13-provider-blocked", "google");
    std::optional<Status> status;
    auto look = [](Operations& operations, std::optional<Status>& into) -> Task<void> {
        into = *co_await operations.status();
    };
    talks.spawn(look(relay->operations(), status));
    ASSERT_TRUE(simulation.run_until([&] { return status.has_value(); }, simulation.now() + 1min));
    ASSERT_EQ(status->alerts.size(), 1U);
    EXPECT_EQ(status->alerts[0].kind, "blocked");
    ASSERT_FALSE(status->problems.empty());
    EXPECT_EQ(status->problems[0].what, "alert.blocked");
    EXPECT_NE(metrics.exposition().find("millrace_blocked_receivers 1"), std::string::npos);
}

TEST_F(Why, OnABlocklist) {
    receiver("listed.example", "198.51.100.1").manners.replies[Moment::recipient] =
        "450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
    start();
    auto const id = send({.to = "bob@listed.example"});
    run(10min);
    expect("14-blocklist", id);
}

TEST_F(Why, ADomainIsNotInOrder) {
    receiver("one.example", "198.51.100.1", "aspmx.l.google.com").manners.replies[Moment::dot] =
        "421 4.7.26 This email has been rate limited because it is unauthenticated. Gmail requires "
        "all senders to authenticate with either SPF or DKIM.";
    start();
    auto const id = send(many(2, {.to = "bob@one.example"}));
    run(10min);
    expect("15-compliance-hold", id);
}

TEST_F(Why, AnOperatorHoldsIt) {
    receiver("mail.example", "198.51.100.1").manners.greylist = 1h;
    start();
    auto const id = send({.to = "bob@mail.example"});
    run(10s);
    EXPECT_EQ(ask("hold", id)->failed, "");
    expect("16-held", id);
    EXPECT_EQ(ask("remove", id)->failed, "");
    run(1min);
    expect("17-removed", id);
}

TEST_F(Why, AnOperatorHasPausedIt) {
    receiver("mail.example", "198.51.100.1");
    start();
    EXPECT_EQ(ask("pause", "", "mail.example")->failed, "");
    auto const id = send({.to = "bob@mail.example"});
    run(10s);
    expect("29-paused-by-an-operator", id);
}

TEST_F(Why, TheUserIsUnknown) {
    receiver("mail.example", "198.51.100.1").manners.recipients["bbo@mail.example"] =
        "550 5.1.1 <bbo@mail.example>: Recipient address rejected: User unknown";
    receiver("shop.example", "198.51.100.2").manners.greylist = 1h;
    start();
    auto const id = send({.to = "bbo@mail.example"});
    run(1min);
    expect("18-user-unknown", id);
    for (auto const& item : ask("why", "anna@shop.example")->items) {
        if (item.at("recipient").as_string() == "anna@shop.example") {
            expect("19-the-notice-waits", std::string(item.at("id").as_string()));
        }
    }
}

TEST_F(Why, AListWaitsBehindUrgentMailAndOthers) {
    auto& mx = receiver("busy.example", "198.51.100.1");
    mx.manners.connections_max = 1;
    mx.manners.tarpit = 1s;
    start();
    send(many(150, {.from = "news@toys.example", .to = "carl@busy.example", .bulk = true}));
    auto const id = send(many(100, {.to = "bob@busy.example", .bulk = true}));
    run(30s);
    send(many(40, {.to = "dora@busy.example"}));
    run(30s);
    expect("20-behind-urgent-mail", id);
}

TEST_F(Why, ASettingSaysSo) {
    wanted.relay.delivery.messages_per_second = 0.1;
    receiver("mail.example", "198.51.100.1");
    start();
    auto const id = send(many(30, {.to = "bob@mail.example"}));
    run(1min);
    expect("21-rate-setting", id);
}

TEST_F(Why, AllConnectionsAreInUse) {
    wanted.relay.delivery.connections_total = 1;
    receiver("slow.example", "198.51.100.1").manners.tarpit = 1min;
    receiver("mail.example", "198.51.100.2");
    start();
    send({.to = "bob@slow.example"});
    run(10s);
    auto const id = send({.to = "carl@mail.example"});
    run(30s);
    expect("22-connections-in-total", id);
}

TEST_F(Why, TheReceiverIsIll) {
    receiver("ill.example", "198.51.100.1").manners.replies[Moment::banner] =
        "421 4.3.2 System shutting down for maintenance, try again later";
    start();
    auto const id = send({.to = "bob@ill.example"});
    run(30s);
    expect("23-receiver-ill", id);
}

TEST_F(Why, PerhapsTwice) {
    auto& mx = receiver("mail.example", "198.51.100.1");
    mx.manners.drop_taken = 1;
    start();
    auto const id = send({.to = "bob@mail.example"});
    run(5s);
    mx.manners.drop_taken = 0;
    run(5min);
    expect("24-perhaps-twice", id);
}

TEST_F(Why, SeveralOfOneAddressAndTheirDestination) {
    receiver("mail.example", "198.51.100.1").manners.recipients["bob@mail.example"] =
        "452 4.2.2 The recipient's mailbox is full";
    start();
    send({.to = "bob@mail.example"});
    run(10s);
    send({.to = "carl@mail.example"});
    send({.from = "eve@other.example", .to = "bob@mail.example"});
    run(10s);
    expect("25-several-messages", "bob@mail.example");
    expect("26-destination", "mail.example");
    expect("27-nothing-known", "nobody@mail.example");
}

}  // namespace
}  // namespace millrace::relay
