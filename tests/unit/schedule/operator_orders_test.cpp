// Goal: an order holds what it names and nothing else, until it ends, over a restart too.
#include "relay/schedule/operator_orders.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

OrderTarget target(std::string_view text) {
    auto parsed = OrderTarget::parse(text);
    EXPECT_TRUE(parsed) << text << ": " << (parsed ? "" : parsed.error().detail);
    return parsed.value_or(OrderTarget{});
}

Order order(OrderVerb verb, std::string_view about, Time until = never) {
    return {verb, target(about), start, until, "uid 0", "new disks"};
}

OrderSubject newsletter() {
    OrderSubject subject;
    subject.destination = "gmail.com";
    subject.site = "gmail-smtp-in.l.google.com";
    subject.provider = "google";
    subject.account = "shop";
    subject.sender_domain = "example.com";
    subject.source = "mail1";
    subject.source_address = "192.0.2.1";
    subject.received = start - 1h;
    return subject;
}

TEST(OrderTarget, WordsArePutIntoOneForm) {
    const std::pair<const char*, const char*> rows[] = {
        {"gmail.com", "destination:gmail.com"},
        {"GMail.Com.", "destination:gmail.com"},
        {"to:bücher.example", "destination:xn--bcher-kva.example"},
        {"[192.0.2.7]", "destination:[192.0.2.7]"},
        {"192.0.2.1", "source:192.0.2.1"},
        {"2001:DB8::1", "source:2001:db8::1"},
        {"ip:2001:db8:0::1", "source:2001:db8::1"},
        {"source:mail1", "source:mail1"},
        {"provider:Google", "provider:google"},
        {"mx:mx1.example,mx2.example;tls=encrypt", "site:mx1.example,mx2.example;tls=encrypt"},
        {"account:Shop", "account:Shop"},
        {"from:@Example.com", "from:example.com"},
        {"from:<>", "from:<>"},
        {"all", "all"},
    };
    for (auto const& [said, meant] : rows) {
        EXPECT_EQ(target(said).text(), meant) << said;
        EXPECT_EQ(target(target(said).text()), target(said)) << said;
        EXPECT_EQ(target(target(said).short_text()), target(said)) << said;
    }
}

TEST(OrderTarget, WhatIsNoneSaysWhatOneLooksLike) {
    for (auto const* const said : {"",
                                   "anna@example.com",
                                   "from:anna@example.com",
                                   "provder:google",
                                   "from:",
                                   "to:a b",
                                   "to:a\tb",
                                   "destination:-.example"}) {
        auto const parsed = OrderTarget::parse(said);
        ASSERT_FALSE(parsed) << said;
        EXPECT_EQ(parsed.error().fault, Fault::invalid);
        EXPECT_FALSE(parsed.error().detail.empty());
    }
    EXPECT_NE(OrderTarget::parse("provder:google").error().detail.find("did you mean provider:?"),
              std::string::npos);
}

TEST(OrderTarget, AMessagesNameIsNone) {
    for (auto const* const name : {"4XyZ1c2Fq7z9Kb",
                                   "0V3RLX8M2PQ7T",
                                   "anna@example.net",
                                   "<1.2@example.net>",
                                   "1.2@example.net",
                                   "1sQ0aB-0001-AA"}) {
        EXPECT_FALSE(looks_like_target(name)) << name;
    }
    for (auto const* const word :
         {"gmail.com", "192.0.2.1", "::1", "from:example.com", "account:x"}) {
        EXPECT_TRUE(looks_like_target(word)) << word;
    }
}

TEST(OperatorOrders, EveryAxisHoldsWhatItNames) {
    for (auto const* const about : {"all",
                                    "gmail.com",
                                    "site:gmail-smtp-in.l.google.com",
                                    "provider:google",
                                    "source:mail1",
                                    "192.0.2.1",
                                    "account:shop",
                                    "from:example.com"}) {
        OperatorOrders orders;
        EXPECT_EQ(orders.held(newsletter(), start), nullptr);
        ASSERT_TRUE(orders.give(order(OrderVerb::pause, about), start));
        auto const* const held = orders.held(newsletter(), start);
        ASSERT_NE(held, nullptr) << about;
        EXPECT_EQ(held->target, target(about));
        EXPECT_TRUE(orders.lift(target(about)));
        EXPECT_FALSE(orders.lift(target(about)));
        EXPECT_EQ(orders.held(newsletter(), start), nullptr);
    }
    OperatorOrders others;
    for (auto const* const about : {"gmail.de",
                                    "site:mx.example",
                                    "provider:yahoo",
                                    "192.0.2.2",
                                    "account:shop2",
                                    "from:<>"}) {
        ASSERT_TRUE(others.give(order(OrderVerb::pause, about), start));
    }
    EXPECT_EQ(others.held(newsletter(), start), nullptr);
    EXPECT_EQ(others.held({}, start), nullptr);  // what is not known is held by none
}

TEST(OperatorOrders, APauseEndsByItself) {
    OperatorOrders orders;
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "gmail.com", start + 2h), start));
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "provider:google", start + 1h), start));
    EXPECT_EQ(orders.next_end(), start + 1h);
    EXPECT_EQ(orders.held(newsletter(), start)->target, target("gmail.com"));  // lasts longest
    EXPECT_NE(orders.held(newsletter(), start + 2h - 1ns), nullptr);
    EXPECT_EQ(orders.held(newsletter(), start + 2h), nullptr);
    EXPECT_EQ(orders.end(start + 1h).size(), 1U);
    EXPECT_EQ(orders.next_end(), start + 2h);
    EXPECT_EQ(orders.end(start + 2h).size(), 1U);
    EXPECT_EQ(orders.next_end(), never);
    EXPECT_TRUE(orders.empty());
    EXPECT_FALSE(orders.give(order(OrderVerb::pause, "gmail.com", start), start));
}

TEST(OperatorOrders, ADrainLetsGoWhatWasThere) {
    OperatorOrders orders;
    ASSERT_TRUE(orders.give(order(OrderVerb::drain, "account:shop"), start));
    auto mail = newsletter();
    mail.received = start;
    EXPECT_EQ(orders.held(mail, start + 1h), nullptr);
    mail.received = start + 1ms;
    EXPECT_NE(orders.held(mail, start + 1h), nullptr);
}

TEST(OperatorOrders, ADrainedSourceServesOnlyWhatIsBoundToIt) {
    OperatorOrders orders;
    ASSERT_TRUE(orders.give(order(OrderVerb::drain, "192.0.2.1"), start));
    auto mail = newsletter();
    EXPECT_NE(orders.held(mail, start), nullptr);
    mail.bound = true;
    EXPECT_EQ(orders.held(mail, start), nullptr);
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "192.0.2.1"), start));
    EXPECT_EQ(orders.size(), 1U);  // in place of the drain
    EXPECT_NE(orders.held(mail, start), nullptr);
}

TEST(OperatorOrders, TextGivesThemBack) {
    OperatorOrders orders;
    auto odd = order(OrderVerb::pause, "from:<>", start + 90min);
    odd.reason = "tab\there,\nline end";
    ASSERT_TRUE(orders.give(odd, start));
    ASSERT_TRUE(orders.give(order(OrderVerb::drain, "2001:db8::1"), start));
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "all"), start));
    std::vector<std::string> unreadable;
    auto const back = OperatorOrders::read(orders.text(), start, &unreadable);
    EXPECT_EQ(back.list(), orders.list());
    EXPECT_EQ(back.next_end(), start + 90min);
    EXPECT_TRUE(unreadable.empty());
    EXPECT_EQ(OperatorOrders::read(orders.text(), start + 2h).size(), 2U);  // one is over
    EXPECT_EQ(back.find(target("from:<>"))->reason, "tab here, line end");
}

TEST(OperatorOrders, DamagedTextLosesOnlyTheDamagedLine) {
    OperatorOrders orders;
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "a.example"), start));
    ASSERT_TRUE(orders.give(order(OrderVerb::pause, "b.example"), start));
    auto text = orders.text();
    text.replace(text.find("a.example"), 9, "a example");
    std::vector<std::string> unreadable;
    EXPECT_EQ(
        OperatorOrders::read(text + "pause\tall\t9\n\xff\t\t\t\t\t\n", start, &unreadable).size(),
        1U);
    EXPECT_EQ(unreadable.size(), 3U);
    EXPECT_TRUE(OperatorOrders::read("", start).empty());
}

TEST(OperatorOrders, ThereIsALimit) {
    OperatorOrders orders;
    for (std::size_t i = 0; i < OperatorOrders::most; ++i) {
        ASSERT_TRUE(orders.give(order(OrderVerb::pause, "account:" + std::to_string(i)), start));
    }
    auto const more = orders.give(order(OrderVerb::pause, "gmail.com"), start);
    ASSERT_FALSE(more);
    EXPECT_EQ(more.error().fault, Fault::full);
    EXPECT_TRUE(orders.give(order(OrderVerb::drain, "account:7"), start));  // in place of another
}

}  // namespace
}  // namespace millrace::relay
