// What a forecast says of what is held, blocked, put off, unknown or very much.
#include "relay/rehearse/standing.hpp"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "relay/rehearse/forecast.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

const Time now = Time(24h * 365 * 56);

Standing::Queue queue(const std::string& domain, std::uint64_t count) {
    Work work;
    work.destination = domain;
    work.klass = Class::bulk;
    work.sender_domain = "list.example";
    Standing::Queue q;
    q.stream = stream_name(work);
    q.site = "mx." + domain;
    q.provider = domain;
    q.count = count;
    q.next_due = q.oldest = now;
    return q;
}

Standing standing(std::vector<Standing::Queue> queues) {
    Standing s;
    s.now = now;
    s.retry = {{30s, 2min, 30min}, 120h};
    s.queues = std::move(queues);
    return s;
}

/// What a share keeps after many messages of a quarter of a second over four connections.
std::string busy_note(const std::function<void(Share&)>& more = [](Share&) {}) {
    Share share("", "one.example", {}, now - 2h);
    for (int i = 0; i < 4; ++i) {
        share.opening_begins(now - 2h);
        share.greeted(now - 2h);
    }
    for (int i = 0; i < 2000; ++i) {
        auto const at = now - 1h + i * 62ms;
        Answer answer;
        answer.began = at - 250ms;
        answer.use = 2;
        share.message_begins("list.example", answer.began);
        share.message_ends("list.example");
        share.passed(answer, at);
    }
    more(share);
    return share.kept();
}

const ForecastRow& row(const Forecast& f, const std::string& name) {
    for (auto const& r : f.rows) {
        if (r.destination == name) return r;
    }
    ADD_FAILURE() << "no row " << name;
    return f.total;
}

TEST(Standing, TravelsWhole) {
    auto s = standing({queue("one.example", 7)});
    s.queues[0].held = 2;
    s.queues[0].wait_until = now + 5min;
    s.queues[0].why = "connect: refused";
    s.limits.per_site.connections = 7;
    s.limits.connections_total = 77;
    s.limits.providers["google"] = Ceilings{.connections = 3, .messages_per_second = 2.5};
    s.shares.push_back({"192.0.2.1", "one.example", "{}"});
    Standing read;
    for (auto const& q : s.queues) {
        ASSERT_TRUE(take_item(read, boost::json::parse(serialize(to_json(q))).as_object()));
    }
    for (auto const& l : s.shares) {
        ASSERT_TRUE(take_item(read, boost::json::parse(serialize(to_json(l))).as_object()));
    }
    take_end(read, boost::json::parse(serialize(end_of(s))).as_object());
    ASSERT_EQ(read.queues.size(), 1U);
    EXPECT_EQ(read.queues[0].stream, s.queues[0].stream);
    EXPECT_EQ(read.queues[0].count, 7U);
    EXPECT_EQ(read.queues[0].held, 2U);
    EXPECT_EQ(read.queues[0].wait_until, now + 5min);
    EXPECT_EQ(read.queues[0].why, "connect: refused");
    EXPECT_EQ(read.now, now);
    EXPECT_EQ(read.limits.per_site, s.limits.per_site);
    EXPECT_EQ(read.limits.providers, s.limits.providers);
    EXPECT_EQ(read.limits.connections_total, 77U);
    EXPECT_EQ(read.retry.steps, s.retry.steps);
    EXPECT_EQ(read.retry.expire_after, 120h);
    ASSERT_EQ(read.shares.size(), 1U);
    EXPECT_EQ(read.shares[0].source, "192.0.2.1");
    EXPECT_FALSE(take_item(read, {{"else", 1}}));
}

TEST(Forecast, NothingWaits) {
    auto const f = forecast(standing({}), {.only = {}, .on_world = {}});
    EXPECT_TRUE(f.rows.empty());
    EXPECT_EQ(f.total.queued, 0U);
}

TEST(Forecast, IsTheSameForTheSameState) {
    auto const s = standing({queue("one.example", 3000), queue("two.example", 10)});
    auto const first = forecast(s, {.only = {}, .on_world = {}});
    auto const second = forecast(s, {.only = {}, .on_world = {}});
    EXPECT_EQ(serialize(to_json(first)), serialize(to_json(second)));
}

TEST(Forecast, HeldMailIsToldAndNotCounted) {
    auto held = queue("held.example", 0);
    held.held = 50;
    auto const f =
        forecast(standing({held, queue("one.example", 20)}), {.only = {}, .on_world = {}});
    EXPECT_EQ(f.total.queued, 20U);
    EXPECT_EQ(f.total.held, 50U);
    EXPECT_TRUE(f.total.finish.p50);
    EXPECT_FALSE(row(f, "held.example").finish.p50);
    EXPECT_NE(row(f, "held.example").basis.find("millrace release"), std::string::npos);
    // With nothing but that, there is nothing to wait for.
    auto const alone = forecast(standing({held}), {.only = {}, .on_world = {}});
    EXPECT_FALSE(alone.total.finish.p50);
}

TEST(Forecast, NowhereToGo) {
    auto lost = queue("lost.example", 5);
    lost.site = "!lost.example";
    lost.why = "no such domain";
    auto const f =
        forecast(standing({lost, queue("one.example", 20)}), {.only = {}, .on_world = {}});
    EXPECT_NE(row(f, "lost.example").basis.find("no such domain"), std::string::npos);
    EXPECT_FALSE(row(f, "lost.example").finish.p50);
    EXPECT_TRUE(f.total.finish.p90);
}

TEST(Forecast, ABlockIsWaitedForAndSaid) {
    auto s = standing({queue("one.example", 500), queue("two.example", 500)});
    s.shares.push_back({"", "two.example", busy_note()});
    s.shares.push_back({"", "one.example", busy_note([](Share& share) {
                            Answer answer;
                            answer.typed = Typed::of(Blame::reputation);
                            answer.said = "421 poor reputation";
                            answer.use = 1;
                            share.refused(answer, now - 10min);
                        })});
    auto const f = forecast(s, {.only = {}, .on_world = {}});
    auto const& blocked = row(f, "one.example");
    EXPECT_NE(blocked.basis.find("blocked (reputation)"), std::string::npos) << blocked.basis;
    ASSERT_TRUE(blocked.finish.p10);
    // The wait is an hour from the refusal, and nobody tries before.
    EXPECT_GE(*blocked.finish.p10, 40min);
    EXPECT_EQ(f.rows.front().destination, "one.example");
    // The other one does not wait for it.
    EXPECT_LT(row(f, "two.example").finish.p90.value_or(1h), 20min);
}

TEST(Forecast, PutOffMailComesWhenItIsDue) {
    auto later = queue("one.example", 30);
    later.next_due = now + 2h;
    auto s = standing({later});
    s.shares.push_back({"", "one.example", busy_note()});
    auto const f = forecast(s, {.only = {}, .on_world = {}});
    EXPECT_EQ(f.total.put_off, 30U);
    EXPECT_GE(f.total.finish.p10.value_or(0s), 100min);
    EXPECT_LE(f.total.finish.p90.value_or(9h), 3h);
}

TEST(Forecast, AMillionIsReckonedFromAPart) {
    auto s = standing({queue("one.example", 1'000'000)});
    s.shares.push_back({"", "one.example", busy_note()});
    auto few = standing({queue("one.example", 2'000)});
    few.shares = s.shares;
    auto const f = forecast(s, {.only = {}, .on_world = {}});
    auto const small = forecast(few, {.only = {}, .on_world = {}});
    EXPECT_LE(f.rehearsed, 5'000U);
    EXPECT_EQ(f.total.queued, 1'000'000U);
    ASSERT_TRUE(f.total.finish.p50 && small.total.finish.p50);
    // Five hundred times as much takes nearly as many times as long: the beginning is slower.
    auto const times = std::chrono::duration<double>(*f.total.finish.p50) / *small.total.finish.p50;
    EXPECT_GT(times, 250);
    EXPECT_LT(times, 600);
}

TEST(Forecast, ManyDestinationsAreRepresentedBySome) {
    std::vector<Standing::Queue> queues;
    std::uint64_t mail = 0;
    for (unsigned i = 0; i < 3000; ++i) {
        queues.push_back(queue("d" + std::to_string(i) + ".example", 1 + i % 7));
        if (i % 2 == 0) queues.back().provider = "hosting";
        mail += queues.back().count;
    }
    auto const f = forecast(standing(queues), {.messages = 32'000, .only = {}, .on_world = {}});
    EXPECT_EQ(f.total.queued, mail);
    EXPECT_LT(f.rows.size(), 400U);
    ASSERT_TRUE(f.total.finish.p50);
    EXPECT_LE(*f.total.finish.p10, *f.total.finish.p50);
    EXPECT_LE(*f.total.finish.p50, *f.total.finish.p90);
}

}  // namespace
}  // namespace millrace::relay
