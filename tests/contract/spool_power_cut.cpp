// A power cut at any moment of the real store's writing (reliability xW1): what was acknowledged
// is there, what was finished stays finished, no event id repeats. MILLRACE_POWER_CUTS sets how
// many states are tried (200).

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include "common/base/planted.hpp"
#include "common/net/asio_clock.hpp"
#include "relay/spool/rocks_spool.hpp"
#include "tests/contract/spool_unsynced_files.hpp"

namespace millrace::relay {
namespace {

namespace fs = std::filesystem;

/// What the outside has been told.
struct Told {
    std::map<MessageId, std::string> accepted;  ///< body
    std::set<MessageId> finished;
    std::uint64_t last_event = 0;
};

struct Verdict {
    unsigned lost = 0, doubled = 0, events_lost = 0, unopened = 0;
    unsigned all() const { return lost + doubled + events_lost + unopened; }
};

class PowerCut : public testing::Test {
  protected:
    void SetUp() override {
        auto const base = fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
        auto name = (base / "millrace-power-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        root_ = name;
        fs::create_directory(root_ + "/live");
    }
    void TearDown() override { fs::remove_all(root_); }

    static RocksOptions options(const std::string& directory) {
        RocksOptions out;
        out.directory = directory;
        out.free_min = 1U << 20U;
        out.reserve = 0;
        return out;
    }

    /// Works on a spool and cuts the power `states` times at random changes of its files.
    void run(unsigned states, std::uint64_t seed);
    Task<void> work(Spool& spool);
    Task<void> deliver(Spool& spool, Work work);
    void maybe_cut();
    void judge(const std::string& image, const Told& told);
    template <class T>
    static T wait(Task<T> task) {
        asio::io_context io;
        std::optional<T> out;
        asio::co_spawn(io, keep(std::move(task), &out), asio::detached);
        io.run();
        return std::move(out.value());
    }
    template <class T>
    static Task<void> keep(Task<T> task, std::optional<T>* out) {
        out->emplace(co_await std::move(task));
    }

    std::string root_;
    std::shared_ptr<UnsyncedFiles> files_ = std::make_shared<UnsyncedFiles>();
    AsioClock clock_;
    NullLog log_;
    std::optional<SeededRandom> random_;  ///< the loop's
    std::optional<SeededRandom> chance_;  ///< of the cuts, on the store's threads
    MessageIds ids_{1};
    std::mutex told_mutex_;
    Told told_;
    std::atomic<unsigned> wanted_ = 0, taken_ = 0;
    std::atomic<bool> open_ = false;
    Verdict verdict_;
    std::vector<std::pair<std::string, Told>> images_;
    bool stop_ = false;
};

void PowerCut::maybe_cut() {
    if (!open_ || taken_ >= wanted_ || chance_->below(8) != 0) return;
    auto const image = root_ + "/cut" + std::to_string(taken_++);
    fs::create_directory(image);
    std::error_code none;
    fs::copy_file(root_ + "/live/high-water", image + "/high-water", none);
    Told told;
    {
        std::lock_guard const lock(told_mutex_);
        told = told_;
    }
    files_->image(root_ + "/live/store", image + "/store", *chance_);
    images_.emplace_back(image, std::move(told));
}

Task<void> PowerCut::deliver(Spool& spool, Work work) {
    Batch batch;
    Event event;
    event.kind = EventKind::delivered;
    batch.finish.push_back({work.key, work.version, event});
    auto const done = co_await spool.commit(std::move(batch));
    if (!done) co_return;
    std::lock_guard const lock(told_mutex_);
    told_.finished.insert(work.key.message);
    for (auto const& each : done->events)
        told_.last_event = std::max(told_.last_event, each.id);
}

Task<void> PowerCut::work(Spool& spool) {
    while (!stop_ && taken_ < wanted_) {
        NewMail mail;
        mail.envelope.id = ids_.next(clock_.now());
        mail.envelope.recipients.push_back({"a@example.org", "example.org", "", {}});
        std::string body(random_->below(9000) + 1, static_cast<char>('a' + random_->below(26)));
        mail.body = std::make_shared<const std::string>(body);
        Work work;
        work.key = {mail.envelope.id, 0};
        work.destination = "example.org";
        mail.works.push_back(work);
        Batch batch;
        batch.append.push_back(std::move(mail));
        auto const done = co_await spool.commit(std::move(batch));
        if (!done) {
            stop_ = true;
            co_return;
        }
        {
            std::lock_guard const lock(told_mutex_);
            told_.accepted.emplace(work.key.message, std::move(body));
            for (auto const& each : done->events) {
                told_.last_event = std::max(told_.last_event, each.id);
            }
        }
        if (random_->below(3) != 0) co_await deliver(spool, work);
    }
}

void PowerCut::run(unsigned states, std::uint64_t seed) {
    random_.emplace(seed);
    chance_.emplace(seed + 1);
    while (taken_ < states && !stop_) {
        images_.clear();
        wanted_ = std::min(states, taken_ + 10);  // room for a few images at a time
        asio::io_context io;
        files_->before_change = [this] {
            maybe_cut();
        };
        auto opened = open_rocks_spool(
            [&] {
                auto out = options(root_ + "/live");
                out.files = files_;
                return out;
            }(),
            io.get_executor(),
            clock_,
            log_);
        ASSERT_TRUE(opened) << opened.error().detail;
        auto spool = std::move(*opened);
        {
            open_ = true;
            for (int i = 0; i < 3; ++i)
                asio::co_spawn(io, work(*spool), asio::detached);
            io.run();
            spool.reset();
            open_ = false;
        }
        files_->before_change = nullptr;
        for (auto const& [image, told] : images_) {
            judge(image, told);
            fs::remove_all(image);
        }
    }
}

void PowerCut::judge(const std::string& image, const Told& told) {
    asio::io_context io;
    auto opened = open_rocks_spool(options(image), io.get_executor(), clock_, log_);
    if (!opened) {
        ++verdict_.unopened;
        std::printf("cannot be opened: %s\n", opened.error().detail.c_str());
        return;
    }
    auto& spool = **opened;
    for (auto const& [id, body] : told.accepted) {
        auto const found = wait(spool.body(id));
        bool const finished = told.finished.contains(id);
        if (finished) {
            verdict_.doubled += found ? 1 : 0;
            continue;
        }
        auto const story = wait(spool.history(id));
        bool const done_unheard = !found && story && story->size() == 2;
        if (!done_unheard && (!found || **found != body || !wait(spool.mail(id)))) ++verdict_.lost;
    }
    auto const events = wait(spool.events(0, UINT32_MAX));
    std::uint64_t expected = 0;
    for (auto const& event : events.value_or(std::vector<Event>{})) {
        if (event.id != ++expected) ++verdict_.events_lost;
    }
    if (expected < told.last_event) ++verdict_.events_lost;
}

unsigned states_wanted() {
    auto const* const given = std::getenv("MILLRACE_POWER_CUTS");
    return given == nullptr ? 200U : static_cast<unsigned>(std::strtoul(given, nullptr, 10));
}

TEST_F(PowerCut, LosesNothingThatWasAcknowledged) {
    run(states_wanted(), 20261124);
    EXPECT_EQ(taken_, states_wanted());
    EXPECT_EQ(verdict_.lost, 0U);
    EXPECT_EQ(verdict_.doubled, 0U);
    EXPECT_EQ(verdict_.events_lost, 0U);
    EXPECT_EQ(verdict_.unopened, 0U);
    std::printf("power cut: %u states, %zu messages accepted, %zu delivered, %u lost, %u doubled\n",
                taken_.load(),
                told_.accepted.size(),
                told_.finished.size(),
                verdict_.lost,
                verdict_.doubled);
}

// The test of the test: a disk that only pretends is found out.
TEST_F(PowerCut, ADiskThatLiesAboutItsSyncsIsFoundOut) {
    files_->faults.lying_sync = true;
    run(20, 7);
    EXPECT_GT(verdict_.all(), 0U);
}

TEST_F(PowerCut, AMissingDirectorySyncIsFoundOut) {
    files_->faults.lying_directory_sync = true;
    run(20, 8);
    EXPECT_GT(verdict_.all(), 0U);
}

TEST_F(PowerCut, AfterAFailedSyncNothingIsAcknowledgedAndNothingSyncedAgain) {
    random_.emplace(3);
    asio::io_context io;
    auto setup = options(root_ + "/live");
    setup.files = files_;
    auto spool = open_rocks_spool(setup, io.get_executor(), clock_, log_);
    ASSERT_TRUE(spool);
    wanted_ = 1;  // never cut: open_ stays false
    files_->faults.failing_syncs = 1;
    asio::co_spawn(io, work(**spool), asio::detached);
    io.run();
    EXPECT_TRUE(told_.accepted.empty());
    EXPECT_TRUE((*spool)->health().broken);
    EXPECT_FALSE((*spool)->health().accepting);
    Batch more;
    more.finish.push_back({{MessageId{1}, 0}, 1, {}});
    auto const again = wait((*spool)->commit(std::move(more)));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().fault, Fault::broken);
    spool->reset();
    EXPECT_EQ(files_->syncs_after_failure, 0U) << "an fsync was retried";
    auto reopened = open_rocks_spool(options(root_ + "/live"), io.get_executor(), clock_, log_);
    ASSERT_TRUE(reopened) << reopened.error().detail;
    EXPECT_FALSE((*reopened)->health().broken);
}

TEST_F(PowerCut, AShortWriteIsTheLastOne) {
    random_.emplace(4);
    asio::io_context io;
    auto setup = options(root_ + "/live");
    setup.files = files_;
    auto spool = open_rocks_spool(setup, io.get_executor(), clock_, log_);
    ASSERT_TRUE(spool);
    wanted_ = 1;
    files_->faults.short_writes = 1;
    asio::co_spawn(io, work(**spool), asio::detached);
    io.run();
    EXPECT_TRUE(told_.accepted.empty());
    EXPECT_TRUE((*spool)->health().broken);
    spool->reset();
    auto reopened = open_rocks_spool(options(root_ + "/live"), io.get_executor(), clock_, log_);
    ASSERT_TRUE(reopened) << reopened.error().detail;
    EXPECT_EQ((*reopened)->health().queued, 0U);
}

// A log that is damaged in its middle loses what comes after: that cannot be helped, but it is said
// aloud, the log is kept, and no id that was seen outside is used again.
TEST_F(PowerCut, ADamagedLogIsNoticedAndKept) {
    random_.emplace(5);
    asio::io_context io;
    auto spool = open_rocks_spool(options(root_ + "/live"), io.get_executor(), clock_, log_);
    ASSERT_TRUE(spool);
    asio::co_spawn(io, work(**spool), asio::detached);
    wanted_ = 1;
    while (told_.accepted.size() < 50)
        io.run_one();
    stop_ = true;
    wanted_ = 0;
    io.run();
    spool->reset();
    auto const last_id = told_.accepted.rbegin()->first;
    for (auto const& entry : fs::directory_iterator(root_ + "/live/store")) {
        if (entry.path().extension() != ".log") continue;
        fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
    }
    auto reopened = open_rocks_spool(options(root_ + "/live"), io.get_executor(), clock_, log_);
    ASSERT_TRUE(reopened) << reopened.error().detail;
    auto const health = (*reopened)->health();
    EXPECT_FALSE(health.broken);
    EXPECT_NE(health.why.find("damaged"), std::string::npos) << health.why;
    EXPECT_GT((*reopened)->last_id(), last_id);
    bool kept = false;
    for (auto const& entry : fs::directory_iterator(root_ + "/live")) {
        kept = kept || entry.path().filename().string().starts_with("damaged-");
    }
    EXPECT_TRUE(kept);
    NewMail mail;
    mail.envelope.id = MessageId{(*reopened)->last_id().value + 1};
    mail.envelope.recipients.push_back({"a@example.org", "example.org", "", {}});
    mail.body = std::make_shared<const std::string>("x\r\n");
    mail.works.emplace_back().key = {mail.envelope.id, 0};
    Batch batch;
    batch.append.push_back(std::move(mail));
    auto const done = wait((*reopened)->commit(std::move(batch)));
    ASSERT_TRUE(done);
    EXPECT_GT(done->events.at(0).id, told_.last_event);
}

}  // namespace
}  // namespace millrace::relay
