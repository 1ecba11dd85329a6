// Goal: `millrace why` answers so that a stranger to the code finds it right. A whole relay runs in
// virtual time into each situation; the answer as people read it stands in tests/data/why/NAME.txt.
// MILLRACE_WRITE_WHY=1 writes them anew: read what changed before keeping it.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "relay/cli/views.hpp"
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Why : public RelayOnWires {
  protected:
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

TEST_F(Why, TooManyOfAListAreUnknown) {
    auto& mx = receiver("mail.example", "198.51.100.1");
    mx.manners.recipients["nobody@mail.example"] =
        "550 5.1.1 <nobody@mail.example>: Recipient address rejected: User unknown";
    start();
    // One in seven.
    for (int i = 0; i < 20; ++i) {
        send(many(6, {.to = "bob@mail.example", .bulk = true}));
        send({.to = "nobody@mail.example", .bulk = true});
    }
    run(5min);
    auto const id = send({.to = "carl@mail.example", .bulk = true});
    auto const other = send({.from = "eve@other.example", .to = "dora@mail.example", .bulk = true});
    auto const urgent = send({.to = "carl@mail.example"});
    run(2min);
    expect("33-list-held", id);
    EXPECT_NE(why(other).find("It was delivered"), std::string::npos) << why(other);
    EXPECT_NE(why(urgent).find("It was delivered"), std::string::npos) << why(urgent);
    std::optional<Status> status = *wait(relay->operations().status());
    ASSERT_FALSE(status->alerts.empty());
    EXPECT_EQ(status->alerts[0].kind, "list-hold");
    EXPECT_TRUE(status->alerts[0].critical);
    stop();
    start();
    run(1h);
    EXPECT_NE(why(id).find("is held"), std::string::npos) << "a restart does not let it go";
    EXPECT_EQ(ask("resume", "", "provider:mx.mail.example")->failed, "");
    run(1min);
    EXPECT_NE(why(id).find("It was delivered"), std::string::npos) << why(id);
    EXPECT_NE(ask("resume", "", "provider:mx.mail.example")->failed, "");
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

TEST_F(Why, ItsSourceIsWarmedUp) {
    config::Source source;
    source.address = "192.0.2.1";
    source.name = "out1";
    source.warm_up = true;
    wanted.relay.sources = {source};
    receiver("mail.example", "198.51.100.1");
    start();
    auto const id = send(many(60, {.to = "bob@mail.example"}));
    run(20min);
    expect("30-warm-up", id);
    expect("31-warm-up-destination", "mail.example");
}

TEST_F(Why, ItsSourceIsNoAddressOfThisMachine) {
    config::Source source;
    source.address = "192.0.2.77";
    wanted.relay.sources = {source};
    receiver("mail.example", "198.51.100.1");
    start();
    auto const id = send({.to = "bob@mail.example"});
    run(30s);
    expect("32-source-not-ours", id);
}

}  // namespace
}  // namespace millrace::relay
