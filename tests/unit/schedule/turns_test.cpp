#include "relay/schedule/turns.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

struct Streams {
    Destination destination{"a.example"};
    std::list<StreamQueue> all;
    StreamQueue& add(const std::string& account, const std::string& domain = "x.example") {
        Work w;
        w.destination = "a.example";
        w.account = account;
        w.sender_domain = domain;
        return all.emplace_back(stream_name(w), destination);
    }
};

TEST(Turns, GoRoundThePartiesAndWithinAPartyRoundItsStreams) {
    Streams streams;
    Turns turns;
    auto& a1 = streams.add("a", "one.example");
    auto& a2 = streams.add("a", "two.example");
    auto& b = streams.add("b");
    for (auto* s : {&a1, &a2, &b})
        turns.enter(*s);
    EXPECT_EQ(turns.parties(), 2U);
    std::vector<StreamQueue*> order;
    for (int i = 0; i < 8; ++i)
        order.push_back(&turns.next());
    EXPECT_EQ(order, (std::vector<StreamQueue*>{&a1, &b, &a2, &b, &a1, &b, &a2, &b}));
}

TEST(Turns, WhoLeavesIsForgottenAndWhoComesIsLast) {
    Streams streams;
    Turns turns;
    auto& a = streams.add("a");
    auto& b = streams.add("b");
    auto& c = streams.add("c");
    turns.enter(a);
    turns.enter(b);
    EXPECT_EQ(&turns.next(), &a);
    turns.enter(c);
    EXPECT_EQ(&turns.next(), &b);
    turns.leave(a);
    EXPECT_FALSE(a.in_turns);
    EXPECT_EQ(&turns.next(), &c);
    EXPECT_EQ(&turns.next(), &b);
    turns.leave(b);
    turns.leave(c);
    EXPECT_TRUE(turns.empty());
}

// Goal: mail of nobody in particular is told apart by its sender's domain, other mail is not: a
// customer gains nothing by many sender domains.
TEST(Turns, APartyIsAnAccountOrASendersDomain) {
    Streams streams;
    EXPECT_EQ(streams.add("shop", "a.example").party(), streams.add("shop", "b.example").party());
    EXPECT_NE(streams.add("local", "a.example").party(), streams.add("local", "b.example").party());
    EXPECT_NE(streams.add("", "a.example").party(), streams.add("", "b.example").party());
}

}  // namespace
}  // namespace millrace::relay
