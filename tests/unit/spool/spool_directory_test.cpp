#include "relay/spool/spool_directory.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "common/base/log.hpp"
#include "common/net/asio_clock.hpp"
#include "relay/spool/disk_space.hpp"
#include "relay/spool/high_water.hpp"

namespace millrace::relay {
namespace {

namespace fs = std::filesystem;

class SpoolDirectoryTest : public testing::Test {
  protected:
    void SetUp() override {
        auto name = (fs::temp_directory_path() / "millrace-directory-XXXXXX").string();
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        path_ = name;
    }
    void TearDown() override { fs::remove_all(path_); }
    std::string refusal(const std::string& path) {
        auto const opened = SpoolDirectory::open(path, log_);
        return opened ? "" : opened.error().detail;
    }
    std::string path_;
    NullLog log_;
};

// Goal (Done-when 10): a second instance is told at once who holds the spool.
TEST_F(SpoolDirectoryTest, ASecondInstanceIsToldThePidOfTheFirst) {
    {
        auto const first = SpoolDirectory::open(path_, log_);
        ASSERT_TRUE(first) << first.error().detail;
        auto const text = refusal(path_);
        EXPECT_NE(text.find("in use by process " + std::to_string(::getpid())), std::string::npos)
            << text;
    }
    EXPECT_TRUE(SpoolDirectory::open(path_, log_)) << "released with the first";
}

// Goal (Done-when 10): a folder that cannot be used gets a sentence with the next step.
TEST_F(SpoolDirectoryTest, EachUnusableFolderSaysWhatToDo) {
    EXPECT_NE(refusal(path_ + "/none").find("install -d -m 0700"), std::string::npos);
    std::ofstream(path_ + "/file") << "x";
    EXPECT_NE(refusal(path_ + "/file").find("is not a directory"), std::string::npos);
    fs::create_directory(path_ + "/open");
    ASSERT_EQ(::chmod((path_ + "/open").c_str(), 0777), 0);
    EXPECT_NE(refusal(path_ + "/open").find("chmod 0700"), std::string::npos);
    EXPECT_FALSE(fs::exists(path_ + "/open/store")) << "nothing was touched";
}

TEST_F(SpoolDirectoryTest, AFolderOfSomebodyElseIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a folder away";
    fs::create_directory(path_ + "/theirs");
    ASSERT_EQ(::chown((path_ + "/theirs").c_str(), 65534, 65534), 0);
    auto const text = refusal(path_ + "/theirs");
    EXPECT_NE(text.find("belongs to"), std::string::npos) << text;
    EXPECT_NE(text.find("chown -R"), std::string::npos) << text;
}

// Goal: the mark comes back as written; a torn or foreign file counts as none.
TEST_F(SpoolDirectoryTest, TheHighWaterMarkComesBackOrNotAtAll) {
    auto const name = path_ + "/high-water";
    {
        HighWaterFile file(name);
        EXPECT_FALSE(file.read());
        ASSERT_TRUE(file.write({1, 2, MessageId{3}}));
        ASSERT_TRUE(file.write({UINT64_MAX, 70000, MessageId{1ULL << 63U}}));
    }
    HighWaterFile file(name);
    auto const mark = file.read();
    ASSERT_TRUE(mark);
    EXPECT_EQ(mark->sequence, UINT64_MAX);
    EXPECT_EQ(mark->last_event, 70000U);
    EXPECT_EQ(mark->last_id, MessageId{1ULL << 63U});
    fs::resize_file(name, fs::file_size(name) - 1);
    EXPECT_FALSE(HighWaterFile(name).read());
}

// Goal: results have room of their own: it is set aside, given back when the disk fills, and set
// aside again.
TEST_F(SpoolDirectoryTest, TheReserveIsGivenBackWhenResultsNeedIt) {
    AsioClock clock;
    constexpr std::uint64_t reserve = 1U << 20U;
    DiskSpace space(path_, 1, reserve, clock, log_);
    space.restore_reserve();
    ASSERT_TRUE(fs::exists(path_ + "/reserve"));
    EXPECT_EQ(fs::file_size(path_ + "/reserve"), reserve);
    EXPECT_TRUE(space.takes_results(1000));
    EXPECT_TRUE(fs::exists(path_ + "/reserve"));
    EXPECT_FALSE(space.takes_results(UINT64_MAX / 4)) << "more than there is";
    EXPECT_FALSE(fs::exists(path_ + "/reserve"));
    EXPECT_TRUE(space.takes_mail());
    DiskSpace tight(path_, UINT64_MAX / 8, 0, clock, log_);
    EXPECT_FALSE(tight.takes_mail());
    EXPECT_TRUE(tight.takes_results(1000));
}

}  // namespace
}  // namespace millrace::relay
