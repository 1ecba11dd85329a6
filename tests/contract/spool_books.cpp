// Goal: the books add up at every moment, and what is wrong with the records is found by counting.
#include <cstdlib>
#include <filesystem>

#include "relay/spool/rocks_spool.hpp"
#include "relay/spool/rocks_store.hpp"
#include "tests/contract/spool_contract.hpp"

namespace millrace::relay {
namespace {

std::string faults(const Stock& stock) {
    std::string all;
    for (auto const& sentence : discrepancies(stock))
        all += sentence + "\n";
    return all;
}

TEST_P(SpoolContract, EveryRecipientIsInTheBooksOnce) {
    EXPECT_EQ(run(spool_->stock()).value(), Stock{});
    append({"example.org", "example.net", "example.org"});
    append({"example.org"});
    append({"example.com"});
    auto works = due("example.org");
    ASSERT_EQ(works.size(), 3U);
    commit(finish(works[0]));
    EXPECT_EQ(run(spool_->commit(finish(works[0]))).value().stale, 1U);  // late: changes nothing
    commit(finish(works[1], EventKind::expired));
    Batch change;
    change.change.push_back({works[2].version, works[2], Event{}});
    change.change.back().event->kind = EventKind::deferred;
    change.change.back().work.due = at_second(90);
    change.change.back().work.held = true;
    commit(std::move(change));
    commit(finish(due("example.com").at(0), EventKind::bounced));
    for (int i = 0; i < 2; ++i) {
        auto const stock = run(spool_->stock()).value();
        EXPECT_EQ(faults(stock), "");
        Books const expected{.received = 5, .delivered = 1, .bounced = 1, .expired = 1};
        EXPECT_EQ(stock.books, expected);
        EXPECT_EQ(stock.works, 2U);
        EXPECT_EQ(stock.in_order, 2U);
        EXPECT_EQ(spool_->health().books, expected);
        EXPECT_EQ(spool_->health().queued, 2U);
        ASSERT_TRUE(run(spool_->trim(1000)));  // the books do not depend on the journal
        crash_and_reopen();
    }
}

/// A RocksSpool with three messages, of which one has two recipients; its records may be spoilt.
class SpoiltStore : public testing::Test {
  protected:
    void SetUp() override {
        auto name = (std::filesystem::temp_directory_path() / "millrace-books-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        with_spool([&](Spool& spool) {
            Batch batch;
            for (unsigned n = 1; n <= 3; ++n)
                batch.append.push_back(mail(n));
            ASSERT_TRUE(run<Result<Committed>>(spool.commit(std::move(batch))));
        });
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    static NewMail mail(unsigned n) {
        NewMail out;
        out.envelope.id = MessageId{n};
        out.body = std::make_shared<const std::string>("Subject: x\r\n\r\n");
        for (std::uint16_t i = 0; i < (n == 2 ? 2 : 1); ++i) {
            out.envelope.recipients.emplace_back();
            out.envelope.recipients.back().address = "a@example.org";
            Work work;
            work.key = {MessageId{n}, i};
            work.destination = "example.org";
            out.works.push_back(work);
        }
        return out;
    }
    template <class T>
    T run(Task<T> task) {
        std::optional<T> out;
        io_.restart();
        asio::co_spawn(
            io_,
            [](Task<T> t, std::optional<T>* o) -> Task<void> {
                o->emplace(co_await std::move(t));
            }(std::move(task), &out),
            asio::detached);
        io_.run();
        return std::move(out.value());
    }
    void with_spool(const std::function<void(Spool&)>& use) {
        RocksOptions options;
        options.directory = directory_;
        options.free_min = options.reserve = 1U << 20U;
        auto spool = open_rocks_spool(options, io_.get_executor(), clock_, log_);
        ASSERT_TRUE(spool) << spool.error().detail;
        use(**spool);
    }
    void drop(Family family, const std::string& key) {
        auto const store = RocksStore::open(directory_ + "/store", 1ULL << 30U, nullptr);
        ASSERT_TRUE(store);
        ASSERT_TRUE((*store)->db().Delete({}, (*store)->family(family), key).ok());
    }
    std::string found() {
        std::string out;
        with_spool([&](Spool& spool) {
            auto const stock = run<Result<Stock>>(spool.stock());
            ASSERT_TRUE(stock) << stock.error().detail;
            out = faults(*stock);
        });
        return out;
    }

    std::string directory_;
    asio::io_context io_;
    AsioClock clock_;
    NullLog log_;
};

TEST_F(SpoiltStore, SoundRecordsAddUp) {
    EXPECT_EQ(found(), "");
}

// Goal: mail that nobody would give up when its time is over is found, too.
TEST_F(SpoiltStore, ARecipientWithoutAnAgeIsFound) {
    drop(Family::age, age_key(mail(3).works.at(0)));
    auto const what = found();
    EXPECT_TRUE(what.starts_with("1 queued recipients stand in no queue")) << what;
    EXPECT_NE(what.find(MessageId{3}.text() + " recipient 0"), what.npos) << what;
}

// Goal: mail that nobody would ever try again is found, and `hold` and `release` mend it.
TEST_F(SpoiltStore, ARecipientInNoQueueIsFoundAndMended) {
    auto const lost = mail(2).works.at(1);
    drop(Family::due, due_key(lost));
    auto const what = found();
    EXPECT_TRUE(what.starts_with("1 queued recipients stand in no queue")) << what;
    EXPECT_NE(what.find(MessageId{2}.text() + " recipient 1"), what.npos) << what;
    with_spool([&](Spool& spool) {
        for (bool const held : {true, false}) {
            auto const now = run<Result<StoredMail>>(spool.mail(MessageId{2})).value().works.at(1);
            Batch batch;
            batch.change.push_back({now.version, now, {}});
            batch.change.back().work.held = held;
            ASSERT_TRUE(run<Result<Committed>>(spool.commit(std::move(batch))));
        }
    });
    EXPECT_EQ(found(), "");
}

TEST_F(SpoiltStore, AMissingMessageIsFound) {
    drop(Family::message, message_key(MessageId{1}));
    EXPECT_EQ(found(),
              "1 queued recipients have lost their message (" + MessageId{1}.text() +
                  " recipient 0)\n");
}

TEST_F(SpoiltStore, AMissingRecipientIsFound) {
    drop(Family::work, work_key({MessageId{3}, 0}));
    auto const what = found();
    EXPECT_NE(what.find("4 recipients should be queued, and 3 are there"), what.npos) << what;
    EXPECT_NE(what.find("2 places in queues are of nobody"), what.npos) << what;
    EXPECT_NE(what.find("1 stored messages have no recipient left"), what.npos) << what;
}

}  // namespace
}  // namespace millrace::relay
