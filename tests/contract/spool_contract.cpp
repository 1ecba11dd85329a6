#include "tests/contract/spool_contract.hpp"

// What every spool promises (relay/spool/spool.hpp), one test per promise.

namespace millrace::relay {

Time at_second(std::int64_t seconds) {
    return Time(std::chrono::seconds(seconds));
}

void SpoolContract::SetUp() {
    medium_ = GetParam().second();
    reopen();
}

void SpoolContract::TearDown() {
    close();
    medium_.reset();
}

void SpoolContract::reopen() {
    spool_ = medium_->open(io_.get_executor(), clock_, log_);
    ASSERT_TRUE(spool_);
}

void SpoolContract::close() {
    spool_.reset();
}

void SpoolContract::crash_and_reopen() {
    medium_->crash(std::move(spool_));
    reopen();
}

Committed SpoolContract::commit(Batch batch) {
    auto result = run(spool_->commit(std::move(batch)));
    EXPECT_TRUE(result) << result.error().detail;
    return result.value_or(Committed{});
}

std::pair<Result<Committed>, Result<Committed>> SpoolContract::commit_both(Batch first,
                                                                           Batch second) {
    std::optional<Result<Committed>> a, b;
    io_.restart();
    asio::co_spawn(io_, keep(spool_->commit(std::move(first)), &a), asio::detached);
    asio::co_spawn(io_, keep(spool_->commit(std::move(second)), &b), asio::detached);
    io_.run();
    return {a.value(), b.value()};
}

NewMail SpoolContract::mail(std::vector<std::string> destinations, Time due) {
    NewMail out;
    auto& envelope = out.envelope;
    envelope.id = ids_.next(at_second(1'700'000'000));
    envelope.sender = "boss@example.net";
    envelope.account = "local";
    envelope.received = envelope.born = at_second(1'700'000'000);
    envelope.mta_queue_id = "4Xyz" + envelope.id.text();
    envelope.message_id = "<" + envelope.id.text() + "@example.net>";
    out.body =
        std::make_shared<const std::string>("Subject: " + envelope.id.text() + "\r\n\r\nhi\r\n");
    envelope.size = out.body->size();
    for (auto const& destination : destinations) {
        auto const index = static_cast<std::uint16_t>(out.works.size());
        auto const address = "user" + std::to_string(index) + "@" + destination;
        envelope.recipients.push_back({address, destination, "rfc822;" + address, {}});
        Work work;
        work.key = {envelope.id, index};
        work.destination = destination;
        work.due = due;
        work.born = envelope.born;
        work.account = "local";
        work.sender_domain = "example.net";
        work.recipient = address;
        out.works.push_back(work);
    }
    return out;
}

MessageId SpoolContract::append(std::vector<std::string> destinations, Time due) {
    auto one = mail(std::move(destinations), due);
    auto const id = one.envelope.id;
    Batch batch;
    batch.append.push_back(std::move(one));
    commit(std::move(batch));
    return id;
}

std::string SpoolContract::stream(const std::string& destination) {
    Work work;
    work.destination = destination;
    work.account = "local";
    work.sender_domain = "example.net";
    return stream_name(work);
}

std::vector<Work> SpoolContract::due(const std::string& destination, Time until, unsigned max) {
    auto works = run(spool_->due(stream(destination), until, {}, max));
    EXPECT_TRUE(works) << works.error().detail;
    return works.value_or(std::vector<Work>{});
}

Batch SpoolContract::finish(const Work& work, EventKind kind) {
    Batch batch;
    Event event;
    event.kind = kind;
    event.recipient = work.recipient;
    event.reason = "250 2.0.0 Ok";
    batch.finish.push_back({work.key, work.version, event});
    return batch;
}

namespace {

TEST_P(SpoolContract, WhatWasAcknowledgedComesBackWholeAfterACrash) {
    auto one = mail({"example.org", "example.com"}, at_second(5));
    one.envelope.recipients[1].notify = {.never = false, .success = true, .given = true};
    one.envelope.smtputf8 = true;
    one.envelope.body = BodyType::eight_bit;
    one.envelope.klass = Class::bulk;
    one.envelope.envid = "QQ+2B1";
    auto const expected = one;
    Batch batch;
    batch.append.push_back(std::move(one));
    commit(std::move(batch));
    crash_and_reopen();
    auto const id = expected.envelope.id;
    auto const stored = run(spool_->mail(id));
    ASSERT_TRUE(stored) << stored.error().detail;
    EXPECT_EQ(stored->envelope, expected.envelope);
    EXPECT_EQ(stored->works, expected.works);
    auto const envelope = run(spool_->envelope(id));
    ASSERT_TRUE(envelope);
    EXPECT_EQ(*envelope, expected.envelope);
    auto const body = run(spool_->body(id));
    ASSERT_TRUE(body);
    EXPECT_EQ(**body, *expected.body);
    EXPECT_EQ(spool_->last_id(), id);
    EXPECT_EQ(spool_->health().queued, 2U);
    EXPECT_EQ(spool_->health().oldest, expected.envelope.born);
    EXPECT_TRUE(spool_->health().accepting);
    EXPECT_FALSE(spool_->health().broken);
}

TEST_P(SpoolContract, ABodyOfManyMegabytesAndAnyBytesComesBackUnchanged) {
    auto one = mail({"example.org"});
    std::string bytes(5 << 20, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<char>(i * 31 + i / 257);
    one.body = std::make_shared<const std::string>(bytes);
    auto const id = one.envelope.id;
    Batch batch;
    batch.append.push_back(std::move(one));
    commit(std::move(batch));
    crash_and_reopen();
    auto const body = run(spool_->body(id));
    ASSERT_TRUE(body);
    EXPECT_TRUE(**body == bytes);
}

TEST_P(SpoolContract, EachRecipientGetsOneReceivedEventWithTheCommit) {
    auto one = mail({"a.example", "b.example"});
    auto const envelope = one.envelope;
    Batch batch;
    batch.append.push_back(std::move(one));
    auto const committed = commit(std::move(batch));
    ASSERT_EQ(committed.events.size(), 2U);
    for (std::uint16_t i = 0; i < 2; ++i) {
        auto expected = received_event(envelope, i);
        expected.id = i + 1U;
        EXPECT_EQ(committed.events[i], expected);
        EXPECT_EQ(committed.events[i].message_id, envelope.message_id);
    }
    EXPECT_EQ(run(spool_->events(0, 10)).value(), committed.events);
}

TEST_P(SpoolContract, AnAppendThatIsRepeatedStoresNothingTwice) {
    auto const one = mail({"example.org"});
    Batch first, again;
    first.append.push_back(one);
    again.append.push_back(one);
    commit(std::move(first));
    auto const second = commit(std::move(again));
    EXPECT_EQ(second.stale, 1U);
    EXPECT_TRUE(second.events.empty());
    EXPECT_EQ(due("example.org").size(), 1U);
    EXPECT_EQ(run(spool_->events(0, 10)).value().size(), 1U);
    EXPECT_EQ(spool_->health().queued, 1U);
}

TEST_P(SpoolContract, FinishTakesTheWorkOutAndTheLastOneTheBytes) {
    auto const id = append({"a.example", "b.example"});
    auto const first = due("a.example").at(0);
    auto const events = commit(finish(first)).events;
    ASSERT_EQ(events.size(), 1U);
    EXPECT_EQ(events[0].message, id);
    EXPECT_EQ(events[0].recipient_index, 0);
    EXPECT_TRUE(due("a.example").empty());
    EXPECT_TRUE(run(spool_->body(id))) << "the other recipient still needs it";
    EXPECT_EQ(run(spool_->mail(id)).value().works.size(), 1U);
    crash_and_reopen();
    EXPECT_TRUE(due("a.example").empty());
    commit(finish(due("b.example").at(0), EventKind::bounced));
    crash_and_reopen();
    EXPECT_EQ(run(spool_->body(id)).error().fault, Fault::not_found);
    EXPECT_EQ(run(spool_->envelope(id)).error().fault, Fault::not_found);
    EXPECT_EQ(run(spool_->mail(id)).error().fault, Fault::not_found);
    EXPECT_EQ(spool_->health().queued, 0U);
    EXPECT_EQ(run(spool_->history(id)).value().size(), 4U);
}

TEST_P(SpoolContract, TwoRecipientsFinishedAtTheSameMomentAreBothGone) {
    auto const id = append({"a.example", "b.example"});
    auto const both = commit_both(finish(due("a.example").at(0)), finish(due("b.example").at(0)));
    ASSERT_TRUE(both.first && both.second);
    EXPECT_EQ(both.first->stale + both.second->stale, 0U);
    crash_and_reopen();
    EXPECT_TRUE(due("a.example").empty());
    EXPECT_TRUE(due("b.example").empty());
    EXPECT_EQ(run(spool_->body(id)).error().fault, Fault::not_found);
}

TEST_P(SpoolContract, BothRecipientsInOneBatchTakeTheBytesAlong) {
    auto const id = append({"a.example", "a.example"});
    auto const works = due("a.example");
    auto batch = finish(works.at(0));
    batch.finish.push_back(finish(works.at(1)).finish.at(0));
    EXPECT_EQ(commit(std::move(batch)).events.size(), 2U);
    EXPECT_EQ(run(spool_->body(id)).error().fault, Fault::not_found);
}

TEST_P(SpoolContract, ALateWriterChangesNothing) {
    append({"example.org"});
    auto const work = due("example.org").at(0);
    Batch defer;
    auto later = work;
    later.due = at_second(100);
    later.attempts = 1;
    later.last_reply = "451 4.7.1 later";
    Event event;
    event.kind = EventKind::deferred;
    defer.change.push_back({work.version, later, event});
    EXPECT_EQ(commit(defer).stale, 0U);
    auto const stale = commit(std::move(defer));
    EXPECT_EQ(stale.stale, 1U);
    EXPECT_TRUE(stale.events.empty());
    auto const late_finish = commit(finish(work));
    EXPECT_EQ(late_finish.stale, 1U);
    auto const now = due("example.org").at(0);
    EXPECT_EQ(now.version, work.version + 1);
    EXPECT_EQ(now.last_reply, "451 4.7.1 later");
    EXPECT_EQ(now.due, at_second(100));
    EXPECT_EQ(commit(finish(now)).stale, 0U);
    EXPECT_EQ(commit(finish(now)).stale, 1U) << "a finished work is not finished again";
    EXPECT_EQ(run(spool_->events(0, 10)).value().size(), 3U);
}

TEST_P(SpoolContract, OfTwoWritersAtTheSameMomentOneWins) {
    append({"example.org"});
    auto const work = due("example.org").at(0);
    auto const both = commit_both(finish(work), finish(work, EventKind::removed));
    ASSERT_TRUE(both.first && both.second);
    EXPECT_EQ(both.first->stale + both.second->stale, 1U);
    EXPECT_EQ(run(spool_->events(0, 10)).value().size(), 2U);
}

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

TEST_P(SpoolContract, EventsComeOnceInOrderAndTellAMessagesStory) {
    std::vector<MessageId> ids;
    for (int i = 0; i < 5; ++i)
        ids.push_back(append({"example.org"}, at_second(i)));
    for (auto const& work : due("example.org"))
        commit(finish(work));
    crash_and_reopen();
    std::vector<std::uint64_t> seen;
    for (std::uint64_t after = 0;;) {
        auto const page = run(spool_->events(after, 3)).value();
        if (page.empty()) break;
        for (auto const& event : page)
            seen.push_back(event.id);
        after = seen.back();
    }
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
    auto const story = run(spool_->history(ids[2])).value();
    ASSERT_EQ(story.size(), 2U);
    EXPECT_EQ(story[0].kind, EventKind::received);
    EXPECT_EQ(story[1].kind, EventKind::delivered);
    EXPECT_EQ(story[1].reason, "250 2.0.0 Ok");
    EXPECT_LT(story[0].id, story[1].id);
}

TEST_P(SpoolContract, TrimDropsOldEventsAndTheirIdsAreNeverUsedAgain) {
    auto const id = append({"example.org"});
    append({"example.org"});
    ASSERT_TRUE(run(spool_->trim(1)));
    auto left = run(spool_->events(0, 10)).value();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].id, 2U);
    EXPECT_TRUE(run(spool_->history(id)).value().empty());
    ASSERT_TRUE(run(spool_->trim(1000)));
    EXPECT_TRUE(run(spool_->events(0, 10)).value().empty());
    crash_and_reopen();
    append({"example.org"});
    left = run(spool_->events(0, 10)).value();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].id, 3U);
    ASSERT_TRUE(run(spool_->trim(3)));
    EXPECT_TRUE(run(spool_->events(0, 10)).value().empty());
}

TEST_P(SpoolContract, TrimOfThousandsLeavesTheRest) {
    Batch batch;
    for (int i = 0; i < 9000; ++i)
        batch.append.push_back(mail({"example.org"}));
    commit(std::move(batch));
    ASSERT_TRUE(run(spool_->trim(8999)));
    auto const left = run(spool_->events(0, 10)).value();
    ASSERT_EQ(left.size(), 1U);
    EXPECT_EQ(left[0].id, 9000U);
}

TEST_P(SpoolContract, NotesSurviveAndAreReplaced) {
    EXPECT_EQ(run(spool_->note("cursor")).error().fault, Fault::not_found);
    ASSERT_TRUE(run(spool_->put_note("cursor", "41")));
    ASSERT_TRUE(run(spool_->put_note("cursor", std::string("4\0 2", 4))));
    ASSERT_TRUE(run(spool_->put_note("ledger", "mine")));
    crash_and_reopen();
    EXPECT_EQ(run(spool_->note("cursor")).value(), std::string("4\0 2", 4));
    EXPECT_EQ(run(spool_->note("ledger")).value(), "mine");
    append({"example.org"});
    EXPECT_EQ(due("example.org").size(), 1U);
}

TEST_P(SpoolContract, ABodyThatChangedOnDiskIsNeverHandedOut) {
    auto const id = append({"example.org"});
    auto const other = append({"example.org"});
    close();
    ASSERT_TRUE(medium_->rot(id));
    reopen();
    auto const body = run(spool_->body(id));
    ASSERT_FALSE(body);
    EXPECT_EQ(body.error().fault, Fault::corrupt);
    EXPECT_TRUE(run(spool_->body(other)));
}

TEST_P(SpoolContract, AFullDiskRefusesNewMailAndTakesResults) {
    append({"example.org"});
    close();
    medium_->fill(true);
    reopen();
    EXPECT_FALSE(spool_->health().accepting);
    EXPECT_FALSE(spool_->health().broken);
    EXPECT_FALSE(spool_->health().why.empty());
    Batch refused;
    refused.append.push_back(mail({"example.org"}));
    auto const full = run(spool_->commit(refused));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().fault, Fault::full);
    auto result = finish(due("example.org").at(0));
    result.append.push_back(mail({"example.net"}));  // the DSN that the result needs
    EXPECT_EQ(commit(std::move(result)).stale, 0U);
    EXPECT_TRUE(due("example.org").empty());
    EXPECT_EQ(due("example.net").size(), 1U);
    close();
    medium_->fill(false);
    reopen();
    EXPECT_TRUE(due("example.org").empty()) << "what was refused never comes back";
    EXPECT_TRUE(spool_->health().accepting);
    append({"example.org"});
    EXPECT_EQ(due("example.org").size(), 1U);
}

TEST_P(SpoolContract, ManyCommitsAtOnceAllComeTrueInOrder) {
    constexpr int many = 300;
    std::vector<std::optional<Result<Committed>>> results(many);
    io_.restart();
    for (auto& result : results) {
        Batch batch;
        batch.append.push_back(mail({"example.org"}));
        asio::co_spawn(io_, keep(spool_->commit(std::move(batch)), &result), asio::detached);
    }
    io_.run();
    std::uint64_t expected = 0;
    for (auto const& result : results) {
        ASSERT_TRUE(result && *result);
        ASSERT_EQ((*result)->events.at(0).id, ++expected);
    }
    crash_and_reopen();
    EXPECT_EQ(due("example.org", never, 1000).size(), 300U);
    EXPECT_EQ(spool_->health().queued, 300U);
}

}  // namespace
}  // namespace millrace::relay
