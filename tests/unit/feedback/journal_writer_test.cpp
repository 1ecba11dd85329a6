// Goal: every event reaches the file at least once, in order, over restarts, rotations, crashes in
// mid-line and files that cannot be written; only what is written and old leaves the journal.
#include "relay/feedback/journal_writer.hpp"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "relay/spool/memory_disk.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

/// Time that passes when somebody waits for it.
class JumpingClock final : public Clock {
  public:
    Time now() const override { return now_; }
    Time wall() const override { return now_; }
    Task<void> sleep_until(Time t) override {
        auto const executor = co_await asio::this_coro::executor;
        co_await asio::post(executor, asio::use_awaitable);
        now_ = std::max(now_, t);
    }
    Time now_ = from_unix_millis(1'790'000'000'000);
};

/// Runs jobs where it is asked.
class NoPool final : public WorkPool {
  public:
    Task<void> run(std::function<void()> job) override {
        job();
        co_return;
    }
};

class JournalWriterTest : public ::testing::Test {
  protected:
    JournalWriterTest() {
        folder =
            std::filesystem::path(::testing::TempDir()) / ("journal-" + std::to_string(::getpid()));
        std::filesystem::remove_all(folder);
        std::filesystem::create_directories(folder);
        file = folder / "events.jsonl";
    }
    ~JournalWriterTest() override { std::filesystem::remove_all(folder); }

    template <class T>
    T wait(Task<T> task) {
        std::optional<T> result;
        asio::co_spawn(loop, std::move(task), [&](std::exception_ptr thrown, T value) {
            EXPECT_FALSE(thrown);
            result.emplace(std::move(value));
        });
        while (!result)
            turn();
        return std::move(*result);
    }
    void turn() {
        loop.restart();
        loop.poll_one();
    }
    void add(unsigned messages) {
        for (unsigned i = 0; i < messages; ++i) {
            NewMail mail;
            mail.envelope.id = ids.next(clock.now());
            mail.envelope.received = clock.now();
            mail.envelope.sender = "a@example.com";
            mail.envelope.recipients.resize(1);
            mail.envelope.recipients[0].address = "b@example.net";
            mail.envelope.recipients[0].destination = "example.net";
            mail.body = std::make_shared<const std::string>("x\r\n");
            Work work;
            work.key.message = mail.envelope.id;
            work.destination = "example.net";
            mail.works.push_back(work);
            Batch batch;
            batch.append.push_back(std::move(mail));
            ASSERT_TRUE(wait(spool.commit(std::move(batch))));
        }
    }
    /// Runs a writer over what there is, and stops it.
    void write_on(Duration keep = 24h * 365) {
        JournalWriter writer(loop.get_executor(),
                             spool,
                             clock,
                             pool,
                             log,
                             event_log_view(file.string()),
                             {keep, [this] {
                                  return others;
                              }});
        TaskGroup group(loop.get_executor(), log, "journal");
        group.spawn(writer.run());
        for (int i = 0; i < 2000; ++i)
            turn();
        trouble = writer.trouble();
        position = writer.position();
        writer.stop();
        for (int i = 0; i < 2000; ++i)
            turn();
        EXPECT_EQ(group.size(), 0U);
    }
    std::vector<std::string> lines() const {
        std::vector<std::string> all;
        std::ifstream in(file);
        for (std::string line; std::getline(in, line);)
            all.push_back(line);
        return all;
    }
    std::size_t in_journal() { return wait(spool.events(0, 10'000))->size(); }

    asio::io_context loop;
    JumpingClock clock;
    NoPool pool;
    NullLog log;
    MessageIds ids{1};
    MemorySpool spool{
        std::make_shared<MemoryDisk>(), loop.get_executor(), clock, log, MemorySpool::Options{}};
    std::filesystem::path folder, file;
    std::string trouble;
    std::uint64_t position = 0;
    std::uint64_t others = UINT64_MAX;  // how far the other views are
};

TEST_F(JournalWriterTest, writes_every_event_once_over_restarts) {
    add(3);
    write_on();
    EXPECT_EQ(lines().size(), 3U);
    write_on();
    EXPECT_EQ(lines().size(), 3U);
    add(1200);  // more than a page
    write_on();
    auto const written = lines();
    ASSERT_EQ(written.size(), 1203U);
    auto const events = *wait(spool.events(0, 2000));
    for (std::size_t i = 0; i < written.size(); ++i)
        EXPECT_EQ(written[i], to_json(events[i]));
    EXPECT_EQ(position, events.back().id);
}

TEST_F(JournalWriterTest, goes_on_in_a_new_file_after_rotation) {
    add(2);
    write_on();
    std::filesystem::rename(file, folder / "events.1");
    add(1);
    write_on();
    EXPECT_EQ(lines().size(), 1U);
}

TEST_F(JournalWriterTest, a_line_that_a_crash_cut_off_spoils_no_other) {
    add(1);
    write_on();
    std::ofstream(file, std::ios::app) << "{\"event_id\":2,\"ev";
    add(1);
    write_on();
    auto const written = lines();
    ASSERT_EQ(written.size(), 2U);
    for (const auto& line : written)
        EXPECT_TRUE(line.ends_with("}")) << line;
}

TEST_F(JournalWriterTest, a_file_that_cannot_be_written_loses_nothing) {
    std::filesystem::create_directory(file);  // no file can be opened there
    add(2);
    write_on();
    EXPECT_NE(trouble.find("cannot open"), std::string::npos) << trouble;
    EXPECT_EQ(in_journal(), 2U);
    std::filesystem::remove(file);
    write_on();
    EXPECT_EQ(trouble, "");
    EXPECT_EQ(lines().size(), 2U);
}

TEST_F(JournalWriterTest, trims_what_is_old_and_written) {
    add(2);
    clock.now_ += 48h;
    add(3);
    write_on(24h);
    EXPECT_EQ(lines().size(), 5U);
    EXPECT_EQ(in_journal(), 3U);
}

TEST_F(JournalWriterTest, trims_nothing_that_is_not_written) {
    std::filesystem::create_directory(file);
    add(2);
    clock.now_ += 48h;
    write_on(24h);
    EXPECT_EQ(in_journal(), 2U);
}

TEST_F(JournalWriterTest, trims_nothing_that_another_view_has_not_written) {
    add(2);
    clock.now_ += 48h;
    others = 1;
    write_on(24h);
    EXPECT_EQ(in_journal(), 1U);
}

// Goal: the mail log begins when it is switched on, loses nothing over restarts, and begins anew
// after it was switched off.
TEST_F(JournalWriterTest, the_mail_log_begins_now_and_keeps_its_place) {
    auto const log_file = folder / "mail.log";
    auto const arrivals = [&] {
        std::ifstream in(log_file);
        unsigned n = 0;
        for (std::string line; std::getline(in, line);)
            n += line.find("nrcpt=1") != std::string::npos ? 1 : 0;
        return n;
    };
    auto const follow_with = [&](const std::string& target, unsigned meanwhile) {
        JournalWriter writer(
            loop.get_executor(), spool, clock, pool, log, mail_log_view(target, "mail"), {});
        TaskGroup group(loop.get_executor(), log, "mail-log");
        group.spawn(writer.run());
        for (int i = 0; i < 2000; ++i)
            turn();
        EXPECT_EQ(writer.position() == UINT64_MAX, target.empty());
        add(meanwhile);
        writer.notify();
        for (int i = 0; i < 2000; ++i)
            turn();
        writer.stop();
        for (int i = 0; i < 2000; ++i)
            turn();
        EXPECT_EQ(group.size(), 0U);
    };
    add(700);
    follow_with(log_file.string(), 3);
    EXPECT_EQ(arrivals(), 3U);
    add(2);  // while the relay was away
    follow_with(log_file.string(), 0);
    EXPECT_EQ(arrivals(), 5U);
    follow_with("", 4);
    follow_with(log_file.string(), 1);
    EXPECT_EQ(arrivals(), 6U);
}

// Goal: mail that comes in while a new mail log still looks for its place is in it.
TEST_F(JournalWriterTest, a_new_mail_log_has_all_that_happened_since_the_start) {
    auto const log_file = folder / "fresh.log";
    add(3);
    JournalWriter writer(
        loop.get_executor(), spool, clock, pool, log, mail_log_view(log_file.string(), "mail"), {});
    clock.now_ += 1s;
    add(2);
    TaskGroup group(loop.get_executor(), log, "mail-log");
    group.spawn(writer.run());
    for (int i = 0; i < 2000; ++i)
        turn();
    std::ifstream in(log_file);
    unsigned arrivals = 0;
    for (std::string line; std::getline(in, line);)
        arrivals += line.find("nrcpt=1") != std::string::npos ? 1 : 0;
    EXPECT_EQ(arrivals, 2U);
    writer.stop();
    for (int i = 0; i < 2000; ++i)
        turn();
}

}  // namespace
}  // namespace millrace::relay
