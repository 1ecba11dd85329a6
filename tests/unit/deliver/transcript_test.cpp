// Goal: what people are shown of a dialogue is true, bounded, and holds neither passwords nor mail.
#include "relay/deliver/transcript.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

class StillClock final : public Clock {
  public:
    Time now() const override { return at; }
    Time wall() const override { return at; }
    Task<void> sleep_until(Time) override { co_return; }
    Time at{1h};
};

struct Stage {
    TraceHub hub;
    LastDialogues last;
    StillClock clock;
    Transcript transcript{hub, last, clock, "mx.example", 7};
};

std::string all_of(const TraceListener::Taken& taken) {
    std::string text;
    for (auto const& line : taken.lines)
        text += std::string(to_string(line.kind)) + " " + line.text + "\n";
    return text;
}

TEST(SecretMask, HidesEveryFormOfAuth) {
    SecretMask plain;
    EXPECT_EQ(plain.said("auth PLAIN AHNob3AAaHVudGVyMg=="), "auth PLAIN ***");
    EXPECT_EQ(plain.heard("535 AHNob3AAaHVudGVyMg== is wrong"), "535 *** is wrong");
    plain.replied(535);
    EXPECT_EQ(plain.said("MAIL FROM:<a@b>"), "MAIL FROM:<a@b>");

    SecretMask login;
    EXPECT_EQ(login.said("AUTH LOGIN"), "AUTH LOGIN");
    login.replied(334);
    EXPECT_EQ(login.said("c2hvcA=="), "***");
    login.replied(334);
    EXPECT_EQ(login.said("aHVudGVyMg=="), "***");
    login.replied(235);
    EXPECT_EQ(login.said("RCPT TO:<c2hvcA==@b>"), "RCPT TO:<***@b>");

    SecretMask told;
    told.hide("hunter2");
    told.hide("hunter2000");
    told.hide("a");  // too short to look for: it would hide half of the dialogue
    EXPECT_EQ(told.heard("535 hunter2000, hunter2: no, a user"), "535 ***, ***: no, a user");
}

TEST(Transcript, ShowsCommandsRepliesAndCountsTheMessage) {
    Stage stage;
    auto const listener = stage.hub.listen([](auto const&) { return true; });
    ASSERT_TRUE(listener);
    auto& t = stage.transcript;
    t.connecting("mx.example [192.0.2.1]", "");
    t.connected("192.0.2.9");
    t.heard({220, "", {"mx.example ESMTP"}});
    t.carries({"example.com", "shop", "shop.example", MessageId{42}});
    t.said("MAIL FROM:<a@shop.example>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n");
    t.heard({250, "2.1.0", {"ok", "really"}});
    t.heard({354, "", {}});
    t.sent(65'536);
    t.sent(100);
    t.heard({250, "2.0.0", {"taken"}});
    t.carries({});
    auto const taken = (*listener)->take();
    EXPECT_EQ(all_of(taken),
              "note connecting to mx.example [192.0.2.1]\n"
              "note connected from 192.0.2.9\n"
              "heard 220 mx.example ESMTP\n"
              "said MAIL FROM:<a@shop.example>\n"
              "said RCPT TO:<b@example.com>\n"
              "said DATA\n"
              "heard 250-2.1.0 ok\n"
              "heard 250 2.1.0 really\n"
              "heard 354 \n"
              "sent (the message: 65636 bytes)\n"
              "heard 250 2.0.0 taken\n");
    auto const& mail = taken.lines[3];
    EXPECT_EQ(mail.load.message, MessageId{42});
    EXPECT_EQ(mail.source, "192.0.2.9");
    EXPECT_EQ(mail.conversation, 7U);
    EXPECT_EQ(mail.at, stage.clock.at);
    auto const* const last = stage.last.of("mx.example");
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(last->reply, "250 2.0.0 taken");  // the verdict, not the 250 to MAIL
    EXPECT_TRUE(last->refused.empty());
}

TEST(Transcript, ARefusalIsKeptWithWhatLedToIt) {
    Stage stage;
    auto& t = stage.transcript;
    t.connecting("mx.example [192.0.2.1]", "192.0.2.9");
    t.said("AUTH PLAIN AHNob3AAaHVudGVyMg==\r\n");
    t.heard({235, "2.7.0", {"in"}});
    t.carries({"example.com", "shop", "shop.example", MessageId{42}});
    t.said("RCPT TO:<b@example.com>\r\n");
    t.heard({451, "4.7.1", {"later"}});
    auto const* const last = stage.last.of("mx.example");
    ASSERT_NE(last, nullptr);
    EXPECT_EQ(last->reply, "451 4.7.1 later");
    EXPECT_EQ(last->host, "mx.example [192.0.2.1]");
    EXPECT_EQ(last->refused_at, stage.clock.at);
    EXPECT_TRUE(last->refused.ends_with("> RCPT TO:<b@example.com>\n< 451 4.7.1 later\n"));
    EXPECT_EQ(last->refused.find("AHNo"), std::string::npos);
    t.heard({503, "5.5.1", {"no recipients"}});  // to DATA: what follows from it
    EXPECT_EQ(last->reply, "451 4.7.1 later");
    EXPECT_TRUE(last->refused.ends_with("< 503 5.5.1 no recipients\n"));
    t.connecting("mx2.example [192.0.2.2]", "");
    t.broke("not connected: timed out");
    EXPECT_EQ(last->refused,
              "- connecting to mx2.example [192.0.2.2]\n- not connected: timed out\n");
    EXPECT_EQ(last->reply, "451 4.7.1 later");
}

TEST(Transcript, StaysSmallHoweverLongTheConversation) {
    Stage stage;
    for (int i = 0; i < 10'000; ++i) {
        stage.transcript.said("RCPT TO:<" + std::to_string(i) + "@example.com>\r\n");
        stage.transcript.heard({450, "4.2.1", {std::string(400, 'x') + std::to_string(i)}});
    }
    auto const* const last = stage.last.of("mx.example");
    EXPECT_LE(last->refused.size(), LastDialogues::text_max);
    EXPECT_LE(last->reply.size(), LastDialogues::reply_max);
    EXPECT_TRUE(last->refused.ends_with("x9999\n"));
    EXPECT_TRUE(last->refused.starts_with("> ") || last->refused.starts_with("< "));
}

TEST(LastDialogues, TheSiteThatWasSilentLongestGoes) {
    LastDialogues last;
    auto const name = [](std::size_t i) {
        return "mx" + std::to_string(i) + ".a.long.example.name";
    };
    for (std::size_t i = 0; i < LastDialogues::sites_max; ++i)
        last.heard(name(i), "h", "250 ok", Time{1s});
    last.heard(name(0), "h", "451 no", Time{2s});  // fresh again
    last.refused("new.example", std::string(3'000, 'x'), Time{3s});
    EXPECT_EQ(last.size(), LastDialogues::sites_max);
    EXPECT_EQ(last.of(name(1)), nullptr);
    ASSERT_NE(last.of(name(0)), nullptr);
    EXPECT_EQ(last.of(name(0))->reply, "451 no");
    EXPECT_EQ(last.of("new.example")->refused.size(), LastDialogues::text_max);
}

TraceLine line_of(std::uint64_t conversation) {
    TraceLine line;
    line.conversation = conversation;
    return line;
}

TEST(TraceHub, ASlowReaderLosesLinesAndIsToldSo) {
    TraceHub hub;
    EXPECT_FALSE(hub.listening());
    auto slow = *hub.listen([](auto const& line) { return line.conversation != 2; });
    EXPECT_TRUE(hub.listening());
    for (std::uint64_t i = 0; i < TraceListener::most + 10; ++i)
        hub.tell(line_of(1));
    hub.tell(line_of(2));
    auto taken = slow->take();
    EXPECT_EQ(taken.lines.size(), TraceListener::most);
    EXPECT_EQ(taken.lost, 10U);
    hub.tell(line_of(3));
    taken = slow->take();
    EXPECT_EQ(taken.lines.size(), 1U);
    EXPECT_EQ(taken.lost, 0U);
    slow.reset();
    hub.tell({});  // finds out that nobody is there any more
    EXPECT_FALSE(hub.listening());
    std::vector<std::shared_ptr<TraceListener>> many;
    for (std::size_t i = 0; i < TraceHub::listeners_max; ++i)
        many.push_back(*hub.listen([](auto const&) { return true; }));
    EXPECT_FALSE(hub.listen([](auto const&) { return true; }));
    many.pop_back();
    EXPECT_TRUE(hub.listen([](auto const&) { return true; }));
}

}  // namespace
}  // namespace millrace::relay
