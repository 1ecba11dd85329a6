// Goal: what the spool cannot take costs no more than it must: nothing is delivered twice, nobody
// goes untold, and a broken spool is given up at once.
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class SpoolTrouble : public RelayOnWires {
  protected:
    SpoolTrouble() {
        site = &receiver("site.example", "203.0.113.1");
        home = &receiver("client.example", "203.0.113.2");
        site->manners.tarpit = 1s;
    }
    using Names = std::vector<std::string>;
    Receiver* site = nullptr;
    Receiver* home = nullptr;  ///< of the senders
};

TEST_F(SpoolTrouble, ADeliveryIsKeptThoughTheNoticeBesideItDoesNotFit) {
    site->manners.recipients["nobody@site.example"] = "550 5.1.1 no such user";
    site->manners.recipients["later@site.example"] = "451 4.3.0 local trouble";
    start();
    send({.from = "app@client.example",
          .to = "friend@site.example",
          .more = {"nobody@site.example", "later@site.example"}});
    disk->capacity = disk->durable().body_bytes + 10;
    disk->reserve = 5;
    run(20s);  // before the next attempt
    EXPECT_EQ(told(*site), Names{"friend@site.example"});
    EXPECT_EQ(waiting(), (Names{"nobody@site.example", "later@site.example"}));
    for (auto const& [key, work] : disk->durable().works) {
        EXPECT_EQ(work->attempts, work->recipient == "later@site.example" ? 1U : 0U)
            << work->recipient << ": a deferral waits for no notice either";
    }

    stop();
    EXPECT_TRUE(log.errors.empty()) << log.errors.front();
    site->manners.recipients.erase("later@site.example");
    disk->capacity = UINT64_MAX;
    start();
    run(1h);
    EXPECT_EQ(told(*site), (Names{"friend@site.example", "later@site.example"})) << "once each";
    EXPECT_EQ(told(*home), Names{"app@client.example"});
    EXPECT_NE(home->taken().at(0).bytes.find("nobody@site.example"), std::string::npos);
    EXPECT_TRUE(waiting().empty());
}

TEST_F(SpoolTrouble, ANoticeThatFitsLaterIsWrittenThen) {
    site->manners.recipients["nobody@site.example"] = "550 5.1.1 no such user";
    start();
    send({.from = "app@client.example",
          .to = "friend@site.example",
          .more = {"nobody@site.example"}});
    disk->capacity = disk->durable().body_bytes + 10;
    disk->reserve = 5;
    run(1min);
    EXPECT_EQ(waiting(), Names{"nobody@site.example"});
    disk->capacity = UINT64_MAX;
    run(1min);
    EXPECT_EQ(told(*home), Names{"app@client.example"});
    EXPECT_TRUE(waiting().empty());
    std::size_t asked = 0;
    for (auto const& answer : site->answers())
        asked += answer.recipient == "nobody@site.example" ? 1 : 0;
    EXPECT_EQ(asked, 1U) << "the receiver is not asked again for the sake of our disk";
    EXPECT_TRUE(log.errors.empty()) << log.errors.front();
}

TEST_F(SpoolTrouble, ABrokenSpoolIsGivenUpWhoeverMeetsItFirst) {
    // A rate limit spends no attempt: the note of the pause is all that is written.
    site->manners.replies[Moment::mail] = "450 4.7.1 rate limit exceeded, try later";
    start();
    run(2s);
    send({.from = "app@client.example", .to = "friend@site.example"});
    disk->faults.failing_syncs = 1;
    auto const before = simulation.now();
    run(1min);
    ASSERT_NE(broken_at, never);
    EXPECT_LT(broken_at, before + 20s);
}

TEST_F(SpoolTrouble, ABrokenSpoolIsGivenUpThoughNobodyAsksIt) {
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
