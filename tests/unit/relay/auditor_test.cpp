// Goal: a relay whose books do not add up says so at once, once, and in all three places.
#include "relay/auditor.hpp"

#include <gtest/gtest.h>

#include "common/net/task_group.hpp"
#include "common/virtual/machine.hpp"
#include "relay/spool/memory_spool.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

class Lines final : public Log {
  public:
    void write(Level level, std::string_view event, std::initializer_list<Field> fields) override {
        lines.push_back((level == Level::error ? "error " : "") + format_log_line(event, fields));
    }
    std::vector<std::string> lines;
};

class AuditorTest : public testing::Test {
  protected:
    ~AuditorTest() override {
        work.stop();
        pass(1s);
        machine.drop_all();
        simulation.shutdown();
    }
    void open() {
        spool = std::make_unique<MemorySpool>(
            disk, machine.executor(), machine, log, MemorySpool::Options{});
        auditor = std::make_unique<Auditor>(Auditor::Parts{
            machine, *spool, log, [this](std::string what, std::string detail) {
                problems.push_back(what + ": " + detail);
            }});
        work.spawn(auditor->run());
    }
    void pass(Duration time) { simulation.run_until(simulation.now() + time); }

    virtual_::Simulation simulation{from_unix_millis(1'795'000'000'000)};
    virtual_::Machine& machine = simulation.machine("relay");
    Lines log;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<Spool> spool;
    std::unique_ptr<Auditor> auditor;
    TaskGroup work{machine.executor(), log, "test"};
    std::vector<std::string> problems;
};

TEST_F(AuditorTest, SaysNothingWhileAllAddsUp) {
    open();
    pass(1h);
    ASSERT_TRUE(auditor->last());
    EXPECT_GE(auditor->last()->at, simulation.now() - 11min) << "it goes on counting";
    EXPECT_EQ(auditor->mismatches(), 0U);
    EXPECT_TRUE(log.lines.empty()) << log.lines.front();
}

TEST_F(AuditorTest, SaysOnceWhatDoesNot) {
    disk->misbook();
    open();
    pass(1h);
    EXPECT_EQ(auditor->mismatches(), 1U);
    EXPECT_EQ(auditor->last()->wrong.size(), 1U);
    ASSERT_EQ(log.lines.size(), 1U);
    EXPECT_TRUE(log.lines[0].starts_with("error audit.mismatch")) << log.lines[0];
    ASSERT_EQ(problems.size(), 1U);
    EXPECT_EQ(problems[0],
              "audit.mismatch: 1 recipients were received, but 0 ended and 0 are queued");
}

}  // namespace
}  // namespace millrace::relay
