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
