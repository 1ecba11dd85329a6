// Goal: what was found out of receivers outlives a restart, and what nobody needs any more does not
// stay for ever.
#include "tests/unit/relay/relay_on_wires.hpp"

namespace millrace::relay {
namespace {

class Learned : public RelayOnWires {
  protected:
    /// Two customers of one host, each with an MX name of his own.
    Receiver& two_of_one_host() {
        auto& mx = receiver("first.example", "198.51.100.1");
        zones.add_mail_domain("second.example", "mx.second.example", ip("198.51.100.1"));
        return mx;
    }
    std::string provider_of(const std::string& destination) {
        for (auto const& item : ask("providers", "")->items) {
            for (auto const& d : item.at("destinations").as_array()) {
                if (d.at("destination").as_string() == destination) {
                    return std::string(item.at("provider").as_string());
                }
            }
        }
        return "none";
    }
    std::size_t notes(const std::string& prefix) const {
        auto const all = disk->durable().notes;
        return static_cast<std::size_t>(std::ranges::count_if(
            all, [&](auto const& note) { return note.first.starts_with(prefix); }));
    }
};

TEST_F(Learned, AFoundProviderKeepsItsNameAndItsLimits) {
    auto& mx = two_of_one_host();
    mx.manners.connections_max = 2;
    mx.manners.tarpit = 1s;
    start();
    send(many(100, {.to = "bob@first.example"}));
    send(many(20, {.to = "bob@second.example"}));
    run(20s);
    EXPECT_EQ(provider_of("second.example"), "mx.first.example");
    auto const refused = [&] {
        return std::ranges::count_if(mx.answers(), [](auto const& a) { return a.limit; });
    };
    run(20min);
    EXPECT_TRUE(waiting().empty());
    auto const before = refused();
    stop();
    run(10min);
    start();
    send(many(200, {.to = "bob@second.example"}));
    run(5s);
    EXPECT_EQ(provider_of("second.example"), "mx.first.example") << "though it comes first now";
    run(20min);
    EXPECT_TRUE(waiting().empty());
    EXPECT_EQ(refused(), before) << "two connections are known to be the limit";
}

TEST_F(Learned, WhatAnOperatorSplitsStaysSplit) {
    auto& mx = two_of_one_host();
    mx.manners.tarpit = 1s;
    start();
    send(many(5, {.to = "bob@first.example"}));
    send(many(50, {.to = "bob@second.example"}));
    run(2s);
    EXPECT_EQ(provider_of("second.example"), "mx.first.example");
    EXPECT_EQ(ask("split", "mx.nowhere.example")->failed.substr(0, 18), "mx.nowhere.example");
    EXPECT_EQ(ask("split", "mx.second.example")->failed, "");
    run(1s);
    EXPECT_EQ(provider_of("second.example"), "mx.second.example");
    run(10min);
    EXPECT_TRUE(waiting().empty());
    stop();
    start();
    send(many(3, {.to = "bob@first.example"}));
    send(many(30, {.to = "bob@second.example"}));
    run(2s);
    EXPECT_EQ(provider_of("second.example"), "mx.second.example");
    EXPECT_EQ(ask("join", "mx.second.example")->failed, "");
    run(2s);
    EXPECT_EQ(provider_of("second.example"), "mx.first.example");
}

// Goal: two neighbours that were taken for one are found to be two by what they do, and the one that
// shuts us out does not stop the other for ever.
TEST_F(Learned, ANeighbourThatRefusesWhatTheOtherTakesIsSplitOff) {
    auto& open = receiver("open.example", "198.51.100.1", "mx1.host.example");
    auto& shut = receiver("shut.example", "198.51.100.2", "mx2.host.example");
    shut.manners.replies[Moment::mail] =
        "450 4.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org";
    start();
    send({.to = "bob@open.example"});
    run(5s);
    send({.to = "bob@shut.example"});
    run(5s);
    EXPECT_EQ(provider_of("shut.example"), "mx1.host.example") << "a neighbour, it seems";
    for (int hour = 0; hour < 60; ++hour) {
        send({.to = "bob@open.example"});
        run(1h);
    }
    EXPECT_EQ(provider_of("shut.example"), "mx2.host.example");
    run(24h);
    auto const before = open.taken().size();
    for (int minute = 0; minute < 10; ++minute) {
        send({.to = "bob@open.example"});
        run(1min);
    }
    EXPECT_EQ(open.taken().size(), before + 10) << "it no longer stops the other";
    EXPECT_TRUE(shut.taken().empty());
    std::vector<Time> refused;
    for (auto const& answer : shut.answers()) {
        if (answer.recipient.empty()) refused.push_back(answer.at);
    }
    ASSERT_GT(refused.size(), 3U);
    for (std::size_t i = 1; i < refused.size(); ++i) {
        EXPECT_GE(refused[i] - refused[i - 1], 4h) << "no pause ends early for the split";
    }
}

TEST_F(Learned, HowLongASiteLetsStrangersWait) {
    auto& mx = receiver("grey.example", "198.51.100.1");
    mx.manners.greylist = 4min;
    start();
    send({.to = "bob@grey.example"});
    run(10min);
    EXPECT_EQ(mx.taken().size(), 1U);
    auto const before = mx.answers().size();
    EXPECT_GT(before, 4U) << "it was found out";
    stop();
    start();
    send({.to = "carl@grey.example"});
    run(10min);
    EXPECT_EQ(mx.taken().size(), 2U);
    // MAIL and RCPT, refused; MAIL, RCPT and the end of data, taken.
    EXPECT_LE(mx.answers().size() - before, 5U) << "no scouts: it is known";
}

TEST_F(Learned, NotesGoWhenNothingWasSentThereForLong) {
    auto& mx = receiver("busy.example", "198.51.100.1");
    mx.manners.connections_max = 2;
    mx.manners.tarpit = 1s;
    receiver("quiet.example", "198.51.100.2");
    start();
    send(many(100, {.to = "bob@busy.example"}));
    send({.to = "bob@quiet.example"});
    run(20min);
    EXPECT_EQ(notes("site/"), 2U);
    EXPECT_EQ(notes("share/"), 1U) << "nothing was learned of the quiet one";
    stop();
    run(24h * 59);
    start();
    run(1h);
    EXPECT_EQ(notes("share/"), 1U);
    stop();
    run(24h * 2);
    start();
    run(1h);
    EXPECT_EQ(notes("share/"), 0U);
    EXPECT_EQ(notes("site/"), 0U);
}

}  // namespace
}  // namespace millrace::relay
