// Goal: a refusal costs a message what it must and no more: a limit that is told with a permanent
// code, where a rule knows that, is waited for; what nobody knows is believed.
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Refusals : public RelayOnWires {};

TEST_F(Refusals, ALimitToldWithAPermanentCodeIsWaitedFor) {
    auto& home = receiver("shop.example", "198.51.100.9");
    auto& mx = receiver("one.example", "198.51.100.1", "mx3.qq.com");
    mx.manners.replies[Moment::mail] =
        "550 Ip frequency limited https://open.work.weixin.qq.com/help2/pc/20048";
    start();
    auto const sent = simulation.now();
    send(many(3, {.to = "bob@one.example"}));
    run(30min);
    EXPECT_EQ(waiting().size(), 3U);
    for (auto const& answer : mx.answers())
        EXPECT_LT(answer.at, sent + 2s) << "an hour's rest, at the first word";
    EXPECT_LE(mx.answers().size(), 3U);
    mx.manners.replies.clear();
    run(6h);
    EXPECT_EQ(mx.taken().size(), 3U);
    EXPECT_TRUE(home.taken().empty());
    for (auto const& [id, event] : disk->durable().events) {
        EXPECT_TRUE(event->kind == EventKind::received || event->kind == EventKind::delivered)
            << event->reason;
    }
}

TEST_F(Refusals, ThePermanentCodeOfAnybodyElseIsBelieved) {
    auto& home = receiver("shop.example", "198.51.100.9");
    receiver("one.example", "198.51.100.1").manners.replies[Moment::mail] =
        "550 4.7.1 Too many messages, rate limit exceeded";
    start();
    send({.to = "bob@one.example"});
    run(1min);
    EXPECT_TRUE(waiting().empty());
    EXPECT_EQ(home.taken().size(), 1U);
}

}  // namespace
}  // namespace millrace::relay
