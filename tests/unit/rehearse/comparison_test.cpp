// Yesterday under other settings: the events of a day that is known, rebuilt and delivered again.
#include "relay/rehearse/comparison.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

const Time start = Time(24h * 365 * 56);

Conduct conduct(unsigned connections, double per_second = 0) {
    Conduct c;
    c.limits.per_site.connections = connections;
    c.limits.per_site.messages_per_second = per_second;
    c.retry = {{30s, 2min, 30min}, 120h};
    c.idle_connection = 2s;
    c.rules = shipped_book();
    return c;
}

Event event(EventKind kind, Time at, std::uint64_t number, const std::string& domain) {
    Event e;
    e.kind = kind;
    e.at = at;
    e.message = MessageId{number};
    e.recipient = "r@" + domain;
    e.sender = "news@list.example";
    e.klass = "bulk";
    if (kind != EventKind::received) e.site = "mx." + domain;
    if (kind == EventKind::delivered) e.smtp_code = 250;
    return e;
}

/// A day as the relay would have written it: `count` messages at once, to a receiver that takes
/// half a second for each over so many connections.
Traffic day(std::uint64_t count, unsigned connections, HiddenLimits receiver) {
    RehearsalSetup setup;
    setup.begin = start;
    setup.limits = conduct(connections).limits;
    setup.retry = conduct(connections).retry;
    receiver.message = 500ms;
    setup.receivers.emplace_back("one.example", receiver);
    setup.places.push_back({"one.example", {"mx.one.example", "one.example", {}, {}}, 0});
    StreamKey key;
    key.destination = "one.example";
    key.klass = Class::bulk;
    key.sender_domain = "list.example";
    setup.mail.push_back({start, key, count, true});
    Traffic traffic;
    for (std::uint64_t i = 0; i < count; ++i) {
        traffic.take(event(EventKind::received, start, i + 1, "one.example"));
    }
    std::uint64_t number = 0;
    Rehearsal rehearsal(setup);
    rehearsal.on_delivered = [&](const StreamKey&, Time, Time at) {
        traffic.take(event(EventKind::delivered, at, ++number, "one.example"));
    };
    EXPECT_TRUE(rehearsal.run());
    EXPECT_EQ(number, count);
    return traffic;
}

Comparison compared(const Traffic& traffic, const Conduct& current, const Conduct& proposed) {
    return compare(traffic.setup(*current.rules, current.limits, {}), current, proposed, {});
}

TEST(Comparison, TheSameSettingsAreNoDifference) {
    auto const traffic = day(3000, 4, {});
    auto const c = compared(traffic, conduct(4), conduct(4));
    EXPECT_EQ(c.total.current.mail, 3000U);
    EXPECT_EQ(c.total.current.delivered, 3000U);
    EXPECT_EQ(c.total.current.median, c.total.proposed.median);
    EXPECT_EQ(c.total.current.finish, c.total.proposed.finish);
    EXPECT_EQ(c.total.current.refusals, c.total.proposed.refusals);
}

TEST(Comparison, RebuildsHowLongItTook) {
    auto const traffic = day(3000, 4, {});
    auto const real = traffic.end() - start;
    auto const c = compared(traffic, conduct(4), conduct(4));
    auto const again = c.total.current.finish - start;
    auto const times = std::chrono::duration<double>(again) / real;
    EXPECT_GT(times, 0.75);
    EXPECT_LT(times, 1.33);
}

TEST(Comparison, MoreConnectionsHelpWhereOnlyOurSettingsWereSlow) {
    auto const traffic = day(3000, 2, {});
    auto const c = compared(traffic, conduct(2), conduct(10));
    EXPECT_LT(c.total.proposed.median, c.total.current.median / 2);
    EXPECT_GT(c.total.proposed.busiest_hour, 0U);
}

TEST(Comparison, TheyDoNotHelpWhereTheReceiverWasSlow) {
    HiddenLimits slow;
    slow.messages_per_second = 3;
    slow.burst = 5;
    auto const traffic = day(3000, 20, slow);
    auto const c = compared(traffic, conduct(20), conduct(40));
    EXPECT_GT(c.total.proposed.median, c.total.current.median * 8 / 10);
}

TEST(Comparison, ALowerRateCostsTime) {
    auto const traffic = day(2000, 8, {});
    auto const c = compared(traffic, conduct(8), conduct(8, 1));
    EXPECT_GT(c.total.proposed.p99, c.total.current.p99 * 3);
    ASSERT_EQ(c.rows.size(), 1U);
    EXPECT_EQ(c.rows[0].name, "one.example");
}

TEST(Traffic, WhatBouncedBouncesAgain) {
    Traffic traffic;
    for (std::uint64_t i = 1; i <= 1000; ++i) {
        traffic.take(event(EventKind::received, start + i * 1s, i, "one.example"));
        auto done = event(i % 4 == 0 ? EventKind::bounced : EventKind::delivered,
                          start + i * 1s + 300ms,
                          i,
                          "one.example");
        done.smtp_code = i % 4 == 0 ? 550 : 250;
        traffic.take(done);
    }
    auto const c = compared(traffic, conduct(5), conduct(5));
    EXPECT_NEAR(static_cast<double>(c.total.current.bounced), 250, 60);
    EXPECT_LT(c.total.current.median, 2s);
}

TEST(Traffic, AnOutageComesAgain) {
    Traffic traffic;
    traffic.take(event(EventKind::received, start, 1, "one.example"));
    for (auto at = start + 1s; at < start + 1h; at += 10min) {
        auto lost = event(EventKind::deferred, at, 1, "one.example");
        lost.smtp_code = 0;
        traffic.take(lost);
    }
    traffic.take(event(EventKind::delivered, start + 1h, 1, "one.example"));
    auto const setup = traffic.setup(*shipped_book(), conduct(5).limits, {});
    ASSERT_EQ(setup.changes.size(), 2U);
    EXPECT_TRUE(setup.changes[0].limits.down);
    EXPECT_FALSE(setup.changes[1].limits.down);
    auto const c = compare(setup, conduct(5), conduct(5), {});
    EXPECT_EQ(c.total.current.delivered, 1U);
    EXPECT_GT(c.total.current.median, 30min);
}

TEST(Traffic, MailFromBeforeTheEventsIsThereFromTheirBeginning) {
    Traffic traffic;
    traffic.take(event(EventKind::delivered, start, 1, "one.example"));
    traffic.take(event(EventKind::delivered, start + 1s, 2, "one.example"));
    auto const setup = traffic.setup(*shipped_book(), conduct(5).limits, {});
    ASSERT_EQ(setup.mail.size(), 2U);
    EXPECT_EQ(setup.mail[1].at, start);
    EXPECT_TRUE(setup.mail[1].on_disk);
}

}  // namespace
}  // namespace millrace::relay
