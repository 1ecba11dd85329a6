#include "tests/contract/spool_contract.hpp"

// What every spool promises of its queues: in which order work is handed out, and how it is found.

namespace millrace::relay {
namespace {

TEST_P(SpoolContract, DueGoesByTimeInPagesAndOnlyUpToTheLimit) {
    std::vector<MessageId> ids;
    for (int i = 0; i < 10; ++i)
        ids.push_back(append({"example.org"}, at_second(100 - i)));
    append({"example.orga"}, at_second(1));
    append({"example.or"}, at_second(1));
    auto const early = due("example.org", at_second(95));
    ASSERT_EQ(early.size(), 5U);
    for (std::size_t i = 0; i < early.size(); ++i) {
        EXPECT_EQ(early[i].due, at_second(91 + static_cast<std::int64_t>(i)));
    }
    DueCursor cursor;
    std::vector<MessageId> seen;
    for (;;) {
        auto const page = run(spool_->due(stream("example.org"), never, cursor, 3)).value();
        if (page.empty()) break;
        for (auto const& work : page)
            seen.push_back(work.key.message);
        cursor = {page.back().due, page.back().key};
    }
    EXPECT_EQ(seen, std::vector(ids.rbegin(), ids.rend()));
}

TEST_P(SpoolContract, DueSeesWhatMovesBehindTheHeadOfAQueue) {
    for (int i = 0; i < 20; ++i)
        append({"example.org"}, at_second(100 + i));
    for (int i = 0; i < 15; ++i)
        commit(finish(due("example.org", never, 1).at(0)));
    EXPECT_EQ(due("example.org").at(0).due, at_second(115));
    append({"example.org"}, at_second(3));  // before everything that was ever there
    EXPECT_EQ(due("example.org").at(0).due, at_second(3));
    auto const last = due("example.org").back();
    Batch sooner;
    auto moved = last;
    moved.due = at_second(2);
    sooner.change.push_back({last.version, moved, std::nullopt});
    commit(std::move(sooner));
    auto const now = due("example.org");
    ASSERT_EQ(now.size(), 6U);
    EXPECT_EQ(now.at(0).key, last.key);
    while (!due("example.org").empty())
        commit(finish(due("example.org", never, 1).at(0)));
    append({"example.org"}, at_second(1));
    EXPECT_EQ(due("example.org").size(), 1U);
}

TEST_P(SpoolContract, HeldWorkIsNeverDueUntilReleased) {
    append({"example.org"}, at_second(10));
    auto const work = due("example.org").at(0);
    auto held = work;
    held.held = true;
    Batch hold;
    hold.change.push_back({work.version, held, std::nullopt});
    commit(std::move(hold));
    crash_and_reopen();
    EXPECT_TRUE(due("example.org").empty());
    auto const rows = run(spool_->summary()).value();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].count, 0U);
    EXPECT_EQ(rows[0].held, 1U);
    EXPECT_EQ(rows[0].next_due, never);
    EXPECT_EQ(spool_->health().queued, 1U);
    auto free = run(spool_->mail(work.key.message)).value().works.at(0);
    EXPECT_TRUE(free.held);
    free.held = false;
    Batch release;
    release.change.push_back({free.version, free, std::nullopt});
    commit(std::move(release));
    EXPECT_EQ(due("example.org").at(0).version, work.version + 2);
    commit(finish(due("example.org").at(0)));
    EXPECT_TRUE(due("example.org").empty());
    EXPECT_TRUE(run(spool_->summary()).value().empty());
}

TEST_P(SpoolContract, SummaryCountsPerDestinationByName) {
    append({"b.example", "a.example"}, at_second(7));
    append({"b.example"}, at_second(3));
    crash_and_reopen();
    auto const rows = run(spool_->summary()).value();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[0].destination, "a.example");
    EXPECT_EQ(rows[0].count, 1U);
    EXPECT_EQ(rows[1].destination, "b.example");
    EXPECT_EQ(rows[1].count, 2U);
    EXPECT_EQ(rows[1].next_due, at_second(3));
    EXPECT_EQ(rows[1].oldest, at_second(1'700'000'000));
}

// Goal: works that differ in class, account, sender's domain or source stand in queues of their
// own, those of one destination together; work of a spool from before there were streams is found
// under the destination's name. Method: one of each, a crash between, each stream emptied alone.
TEST_P(SpoolContract, StreamsOfADestinationAreApartAndStandTogether) {
    append({"a.example"});
    std::vector<Work> works;
    for (int i = 0; i < 6; ++i) {
        auto one = mail({"b.example"}, at_second(10 + i));
        auto& work = one.works[0];
        if (i == 1) work.klass = Class::bulk;
        if (i == 2) work.account = "other";
        if (i == 3) work.sender_domain = "other.example";
        if (i == 4) work.slot = 3;
        if (i == 5) work.sender_domain = {};
        works.push_back(work);
        Batch batch;
        batch.append.push_back(std::move(one));
        commit(std::move(batch));
    }
    append({"b.example.org"});
    crash_and_reopen();

    std::set<std::string> names;
    for (auto const& work : works)
        names.insert(stream_name(work));
    ASSERT_EQ(names.size(), 6U);
    EXPECT_TRUE(names.contains("b.example"));
    auto const rows = run(spool_->summary()).value();
    ASSERT_EQ(rows.size(), 8U);
    EXPECT_EQ(rows.front().destination, "a.example");
    EXPECT_EQ(rows.back().destination, "b.example.org");
    for (std::size_t i = 1; i < 7; ++i) {
        EXPECT_EQ(rows[i].destination, "b.example");
        EXPECT_EQ(rows[i].count, 1U);
        EXPECT_TRUE(names.contains(rows[i].stream));
    }
    for (auto const& work : works) {
        auto const found = run(spool_->due(stream_name(work), never, {}, 100)).value();
        ASSERT_EQ(found.size(), 1U) << stream_name(work);
        EXPECT_EQ(found[0].key, work.key);
        EXPECT_EQ(found[0].sender_domain, work.sender_domain);
        EXPECT_EQ(found[0].slot, work.slot);
        // It stays in its stream when it is put off, and when it is held and released.
        Batch later;
        auto next = found[0];
        next.due = at_second(500);
        later.change.push_back({next.version, next, std::nullopt});
        commit(std::move(later));
        auto const again = run(spool_->due(stream_name(work), never, {}, 100)).value();
        ASSERT_EQ(again.size(), 1U);
        EXPECT_EQ(again[0].due, at_second(500));
        commit(finish(again[0]));
        EXPECT_TRUE(run(spool_->due(stream_name(work), never, {}, 100)).value().empty());
    }
    EXPECT_EQ(run(spool_->summary()).value().size(), 2U);
}

TEST_P(SpoolContract, FindAnswersEveryFilterInOrderAndInPages) {
    auto const one = append({"a.example", "b.example"});
    auto const two = append({"a.example"});
    auto const find = [&](WorkFilter filter, WorkKey after = {}, unsigned max = 100) {
        std::vector<WorkKey> keys;
        for (auto const& work : run(spool_->find(std::move(filter), after, max)).value()) {
            keys.push_back(work.key);
        }
        return keys;
    };
    using Keys = std::vector<WorkKey>;
    EXPECT_EQ(find({}), (Keys{{one, 0}, {one, 1}, {two, 0}}));
    EXPECT_EQ(find({}, {one, 0}, 1), (Keys{{one, 1}}));
    EXPECT_EQ(find({}, {two, 0}), Keys{});
    WorkFilter filter;
    filter.message = one;
    EXPECT_EQ(find(filter), (Keys{{one, 0}, {one, 1}}));
    filter = {};
    filter.destination = "a.example";
    EXPECT_EQ(find(filter), (Keys{{one, 0}, {two, 0}}));
    filter.message = two;
    EXPECT_EQ(find(filter), (Keys{{two, 0}}));
    filter = {};
    filter.recipient = "user1@b.example";
    EXPECT_EQ(find(filter), (Keys{{one, 1}}));
    filter = {};
    filter.sender = "boss@example.net";
    EXPECT_EQ(find(filter).size(), 3U);
    filter.sender = "nobody@example.net";
    EXPECT_EQ(find(filter), Keys{});
    filter = {};
    filter.mta_queue_id = "4Xyz" + two.text();
    EXPECT_EQ(find(filter), (Keys{{two, 0}}));
    filter = {};
    filter.message_id = "<" + one.text() + "@example.net>";
    EXPECT_EQ(find(filter), (Keys{{one, 0}, {one, 1}}));
    filter = {};
    filter.account = "other";
    EXPECT_EQ(find(filter), Keys{});
    filter = {};
    filter.destinations = {"b.example", "c.example"};
    EXPECT_EQ(find(filter), (Keys{{one, 1}}));
    filter = {};
    filter.sender_domain = "example.net";
    EXPECT_EQ(find(filter).size(), 3U);
    filter.sender_domain = "<>";
    EXPECT_EQ(find(filter), Keys{});
    filter = {};
    filter.held = true;
    EXPECT_EQ(find(filter), Keys{});
    filter.held = false;
    EXPECT_EQ(find(filter).size(), 3U);
}

}  // namespace
}  // namespace millrace::relay
