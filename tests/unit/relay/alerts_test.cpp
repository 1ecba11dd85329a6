// Goal: an operator is told once that something needs him and once that it is over, and never of
// what is in order.
#include "relay/alerts.hpp"

#include <gtest/gtest.h>

#include "relay/recent_rate.hpp"
#include "relay/spool/stream.hpp"
#include "relay/words.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

constexpr Time start{std::chrono::hours(24 * 365)};

Alert alert(const std::string& kind, const std::string& object, bool critical = false) {
    return {kind, object, critical, start, "text"};
}

StreamSummary stream(const std::string& destination, Time due, Class klass = Class::transactional) {
    Work work;
    work.destination = destination;
    work.klass = klass;
    work.account = "local";
    work.sender_domain = "shop.example";
    StreamSummary s;
    s.stream = stream_name(work);
    s.destination = destination;
    s.count = 1;
    s.next_due = due;
    return s;
}

TEST(Alerts, BeginOnceAndEndOnce) {
    Alerts alerts;
    auto changes = alerts.look({alert("blocked", "google")}, start);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_TRUE(changes[0].begins);
    EXPECT_TRUE(alerts.look({alert("blocked", "google")}, start + 1min).empty());
    // Away for a moment is not over.
    EXPECT_TRUE(alerts.look({}, start + 3min).empty());
    EXPECT_TRUE(alerts.look({alert("blocked", "google")}, start + 5min).empty());
    EXPECT_EQ(alerts.count("blocked"), 1U);
    EXPECT_TRUE(alerts.look({}, start + 9min).empty());
    changes = alerts.look({}, start + 10min);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_FALSE(changes[0].begins);
    EXPECT_TRUE(alerts.current().empty());
    EXPECT_TRUE(alerts.look({}, start + 20min).empty());
}

TEST(Alerts, ToldAgainWhenItBecomesCritical) {
    Alerts alerts;
    alerts.look({alert("unknown-users", "a"), alert("blocked", "b")}, start);
    auto const changes = alerts.look({alert("unknown-users", "a", true)}, start + 1min);
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_TRUE(changes[0].alert.critical);
    ASSERT_EQ(alerts.current().size(), 2U);
    EXPECT_EQ(alerts.current()[0].object, "a") << "the critical one first";
}

TEST(Alerts, OfAShare) {
    Share share("", "google", Ceilings{}, start);
    EXPECT_TRUE(alerts_of(share, start).empty());
    Answer answer;
    answer.typed = Typed::of(Blame::blocklist);
    answer.said = "554 listed";
    answer.use = 1;
    share.opening_begins(start);
    share.greeted(start);
    share.refused(answer, start);
    auto found = alerts_of(share, start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].kind, "blocked");
    EXPECT_TRUE(found[0].critical) << "a blocklist does not end by itself";
    EXPECT_NE(found[0].text.find("554 listed"), std::string::npos) << found[0].text;

    answer.typed = Typed::of(Blame::compliance);
    answer.typed.axis = Axis::sender_domain;
    answer.sender_domain = "shop.example";
    share.open_with(Blame::blocklist);
    share.refused(answer, start);
    found = alerts_of(share, start);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].kind, "compliance-hold");
    EXPECT_EQ(found[0].object, "shop.example at google");
}

TEST(Alerts, UnknownUsersFromThreeAndTenPerCent) {
    for (auto const& [unknown, expected] :
         {std::pair(2, 0), std::pair(4, 1), std::pair(11, 2)}) {
        Share share("", "google", Ceilings{}, start);
        for (int i = 0; i < 200; ++i) share.unknown_user(i % 100 < unknown, start);
        auto const found = alerts_of(share, start);
        ASSERT_EQ(found.size(), expected > 0 ? 1U : 0U) << unknown;
        if (expected > 0) EXPECT_EQ(found[0].critical, expected == 2);
    }
}

TEST(Alerts, WhoseBulkMailIsHeldAndWhatToDo) {
    Share share("", "google", Ceilings{}, start);
    for (int i = 0; i < 200; ++i)
        share.list_told("@shop.example", i % 5 == 0, "550 5.1.1 no such user", start);
    auto const found = alerts_of(share, start + 1min);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].kind, "list-hold");
    EXPECT_EQ(found[0].object, "shop.example at google");
    EXPECT_TRUE(found[0].critical);
    EXPECT_NE(found[0].text.find("550 5.1.1 no such user"), std::string::npos) << found[0].text;
    EXPECT_NE(found[0].text.find("millrace resume provider:google"), std::string::npos);
    share.release_list("@shop.example");
    EXPECT_TRUE(alerts_of(share, start + 1min).empty());
}

TEST(Alerts, LateIsWhatIsDueAndWaitsAndNoBulk) {
    std::vector<StreamSummary> const streams = {
        stream("late.example", start - 2h),
        stream("later.example", start - 3h),
        stream("fresh.example", start - 10min),
        stream("put-off.example", start + 4h),
        stream("list.example", start - 5h, Class::bulk),
    };
    auto const found = late_alerts(streams, 1h, start);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].object, "later.example");
    EXPECT_EQ(found[1].object, "late.example");
    EXPECT_TRUE(late_alerts(streams, 0s, start).empty());
}

TEST(RecentRate, OfTheLastMinuteOnly) {
    RecentRate rate;
    for (int i = 0; i < 600; ++i) rate.count("google", start + i * 100ms);  // ten a second
    EXPECT_NEAR(rate.per_second("google", start + 60s), 10, 2);
    EXPECT_EQ(rate.per_second("google", start + 3min), 0);
    EXPECT_EQ(rate.per_second("other", start), 0);
    rate.count("google", start + 10min);
    EXPECT_NEAR(rate.per_second("google", start + 10min), 0.1, 0.001)
        << "one in a moment is no ten a second";
}

TEST(Words, ReadAsPeopleSayThem) {
    EXPECT_EQ(span_words(500ms), "less than a second");
    EXPECT_EQ(span_words(1s), "1 second");
    EXPECT_EQ(span_words(119s), "119 seconds");
    EXPECT_EQ(span_words(2min), "2 minutes");
    EXPECT_EQ(span_words(3h), "3 hours");
    EXPECT_EQ(span_words(5 * 24h), "5 days");
    auto const now = from_unix_millis(1'795'507'200'000);  // 2026-11-24 08:00
    EXPECT_EQ(clock_words(now + 90min, now), "09:30 UTC");
    EXPECT_EQ(clock_words(now - 24h * 2, now), "22 Nov 08:00 UTC");
    EXPECT_EQ(clock_words(now - 24h * 365, now), "24 Nov 2025 08:00 UTC");
    EXPECT_EQ(ordinal(1) + ordinal(2) + ordinal(3) + ordinal(11) + ordinal(21) + ordinal(112),
              "1st2nd3rd11th21st112th");
    EXPECT_EQ(count_words(1, "message"), "1 message");
    EXPECT_EQ(count_words(1'234'567, "message"), "1,234,567 messages");
    auto const reply = std::string(199, 'x') + "\xc3\xa4\xc3\xa4";
    EXPECT_EQ(in_quotes(reply), "\"" + std::string(199, 'x') + "…\"") << "no half characters";
    EXPECT_EQ(pace_text(39), "39 messages a second");
    EXPECT_EQ(pace_text(1), "1 message a second");
    EXPECT_EQ(pace_text(0.1), "6 messages a minute");
}

}  // namespace
}  // namespace millrace::relay
