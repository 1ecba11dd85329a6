// What a spool promises of age: who waits is found by his birth, however deep his queue is on disk;
// and of notes that come and go.
#include <cstdlib>
#include <filesystem>

#include "relay/spool/rocks_spool.hpp"
#include "relay/spool/rocks_store.hpp"
#include "tests/contract/spool_contract.hpp"

namespace millrace::relay {
namespace {

class SpoolAge : public SpoolContract {
  protected:
    MessageId born_at(std::int64_t second, const std::string& destination = "example.org") {
        auto one = mail({destination});
        one.envelope.born = at_second(second);
        for (auto& work : one.works)
            work.born = at_second(second);
        auto const id = one.envelope.id;
        Batch batch;
        batch.append.push_back(std::move(one));
        commit(std::move(batch));
        return id;
    }
    std::vector<Work> aged(bool told,
                           std::int64_t until,
                           DueCursor after = {},
                           unsigned max = 100) {
        auto works = run(spool_->aged(told, at_second(until), after, max));
        EXPECT_TRUE(works) << works.error().detail;
        return works.value_or(std::vector<Work>{});
    }
    static std::vector<MessageId> ids(const std::vector<Work>& works) {
        std::vector<MessageId> out;
        for (auto const& work : works)
            out.push_back(work.key.message);
        return out;
    }
    void change(Work work, const std::function<void(Work&)>& how) {
        auto const version = work.version;
        how(work);
        Batch batch;
        batch.change.push_back({version, std::move(work), std::nullopt});
        commit(std::move(batch));
    }
};

TEST_P(SpoolAge, WorkIsFoundByItsBirthWhateverItsQueue) {
    auto const young = born_at(300, "a.example");
    auto const old = born_at(100, "z.example");
    auto const middle = born_at(200);
    EXPECT_EQ(ids(aged(false, 299)), (std::vector{old, middle}));
    EXPECT_EQ(ids(aged(false, 300)), (std::vector{old, middle, young}));
    EXPECT_TRUE(aged(true, 300).empty());
    crash_and_reopen();
    EXPECT_EQ(ids(aged(false, 300)), (std::vector{old, middle, young}));
}

TEST_P(SpoolAge, APageGoesOnBehindItsCursor) {
    std::vector<MessageId> all;
    for (int i = 0; i < 7; ++i)
        all.push_back(born_at(100 + i / 2));
    std::vector<MessageId> seen;
    DueCursor cursor;
    for (;;) {
        auto const page = aged(false, 500, cursor, 2);
        for (auto const& work : page)
            seen.push_back(work.key.message);
        if (page.size() < 2) break;
        cursor = {page.back().born, page.back().key};
    }
    EXPECT_EQ(seen, all);
    EXPECT_EQ(ids(aged(false, 500, {}, 1)), (std::vector{all[0]}));
}

TEST_P(SpoolAge, WhatIsFinishedOrHeldHasNoAgeAndWhatIsReleasedHasAgain) {
    auto const gone = born_at(100);
    auto const kept = born_at(200);
    auto const works = aged(false, 500);
    ASSERT_EQ(works.size(), 2U);
    commit(finish(works[0], EventKind::expired));
    change(works[1], [](Work& w) { w.held = true; });
    EXPECT_TRUE(aged(false, 500).empty());
    crash_and_reopen();
    auto const held = run(spool_->mail(kept));
    ASSERT_TRUE(held);
    change(held->works[0], [](Work& w) { w.held = false; });
    EXPECT_EQ(ids(aged(false, 500)), (std::vector{kept}));
    EXPECT_FALSE(run(spool_->mail(gone)));
    // And once more, from where a read has been before.
    commit(finish(aged(false, 500)[0]));
    EXPECT_TRUE(aged(false, 500).empty());
    auto const older = born_at(50);
    EXPECT_EQ(ids(aged(false, 500)), (std::vector{older}));
}

TEST_P(SpoolAge, WhoseSenderWasToldOfTheDelayStandsApart) {
    born_at(100);
    auto const other = born_at(200);
    auto const works = aged(false, 150);
    ASSERT_EQ(works.size(), 1U);
    change(works[0], [](Work& w) {
        w.delay_told = true;
        w.due = at_second(900);
    });
    EXPECT_EQ(ids(aged(false, 500)), (std::vector{other}));
    auto const told = aged(true, 500);
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].version, 2U);
    commit(finish(told[0]));
    EXPECT_TRUE(aged(true, 500).empty());
}

TEST_P(SpoolAge, NotesAreListedByTheirBeginningAndDropped) {
    for (auto const* name : {"site/b", "site/a", "sitf", "share/x", "site/c"}) {
        ASSERT_TRUE(run(spool_->put_note(name, std::string("of ") + name)));
    }
    auto const names = [&](std::string prefix, std::string after, unsigned max) {
        auto found = run(spool_->notes(std::move(prefix), std::move(after), max));
        EXPECT_TRUE(found);
        return found.value_or(std::vector<Note>{});
    };
    EXPECT_EQ(names("site/", "", 100),
              (std::vector<Note>{
                  {"site/a", "of site/a"}, {"site/b", "of site/b"}, {"site/c", "of site/c"}}));
    EXPECT_EQ(names("site/", "site/a", 1), (std::vector<Note>{{"site/b", "of site/b"}}));
    ASSERT_TRUE(run(spool_->drop_note("site/b")));
    ASSERT_TRUE(run(spool_->drop_note("site/none")));
    crash_and_reopen();
    EXPECT_FALSE(run(spool_->note("site/b")));
    EXPECT_EQ(names("site/", "", 100).size(), 2U);
    EXPECT_EQ(names("", "", 100).size(), 4U);
    ASSERT_TRUE(run(spool_->put_note("site/b", "again")));
    EXPECT_EQ(run(spool_->note("site/b")).value_or(""), "again");
}

INSTANTIATE_TEST_SUITE_P(Spools, SpoolAge, spools_under_test(), [](auto const& info) {
    return info.param.first;
});

/// A spool of before there was the index, whose filling was cut short once.
TEST(SpoolUpgrade, WorkOfAnOlderSpoolHasItsAge) {
    namespace fs = std::filesystem;
    auto root = (fs::temp_directory_path() / "millrace-spool-XXXXXX").string();
    ASSERT_NE(::mkdtemp(root.data()), nullptr);
    Work work;
    work.destination = work.recipient = "a.example";
    {
        auto const store = RocksStore::open(root + "/store", 1ULL << 30U, nullptr);
        ASSERT_TRUE(store) << store.error().detail;
        for (std::uint64_t n = 1; n <= 3; ++n) {
            work.key.message = MessageId{n};
            work.born = at_second(static_cast<std::int64_t>(400 - n));
            work.held = n == 2;
            auto& db = (*store)->db();
            ASSERT_TRUE(db.Put({},
                               (*store)->family(Family::work),
                               work_key(work.key),
                               encode(WorkRecord{work, 1}))
                            .ok());
            if (n == 3) {
                ASSERT_TRUE(db.Put({}, (*store)->family(Family::age), age_key(work), {}).ok());
            }
        }
    }
    asio::io_context io;
    AsioClock clock;
    NullLog log;
    for (int start = 0; start < 2; ++start) {
        auto const spool = open_rocks_spool(
            {.directory = root, .free_min = 1U << 20U, .reserve = 1U << 20U, .files = {}},
            io.get_executor(),
            clock,
            log);
        ASSERT_TRUE(spool) << spool.error().detail;
        std::optional<Result<std::vector<Work>>> found;
        auto ask = [](Spool& from, std::optional<Result<std::vector<Work>>>& into) -> Task<void> {
            into.emplace(co_await from.aged(false, at_second(500), {}, 100));
        };
        io.restart();
        asio::co_spawn(io, ask(**spool, found), asio::detached);
        io.run();
        ASSERT_TRUE(found && *found);
        ASSERT_EQ((*found)->size(), 2U);
        EXPECT_EQ((**found)[0].key.message, MessageId{3});
        EXPECT_EQ((**found)[1].key.message, MessageId{1});
    }
    fs::remove_all(root);
}

}  // namespace
}  // namespace millrace::relay
