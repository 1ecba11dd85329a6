#include "milter/socket.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "milter/attach_lines.hpp"
#include "milter/reply.hpp"

// Goal: the socket is where the MTA looks for it, with the rights it needs, or the error says how.
namespace millrace::milter {
namespace {

class SocketFolder : public testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/millrace-socket-XXXXXX";
        folder_ = ::mkdtemp(name);
        path_ = folder_ + "/milter.sock";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }
    SocketName name() const { return *SocketName::parse("unix:" + path_); }
    std::string folder_, path_;
};

TEST(SocketName, ReadsTheThreeForms) {
    EXPECT_EQ(SocketName::parse("unix:/a/b")->path, "/a/b");
    EXPECT_EQ(SocketName::parse("inet:2526@10.0.0.1")->host, "10.0.0.1");
    EXPECT_EQ(SocketName::parse("inet:2526")->host, "127.0.0.1");
    EXPECT_EQ(SocketName::parse("inet6:2526@::1")->port, 2526);
    for (const char* wrong : {"",
                              "unix:a",
                              "inet:",
                              "inet:0",
                              "inet:70000",
                              "inet:2526@",
                              "inet:1x",
                              "tcp:25",
                              "/path"}) {
        EXPECT_FALSE(SocketName::parse(wrong)) << wrong;
    }
    for (const char* text : {"unix:/a/b", "inet:2526@10.0.0.1", "inet6:2526@::1"}) {
        EXPECT_EQ(SocketName::parse(text)->text(), text);
    }
}

TEST_F(SocketFolder, IsOpenToTheGroupAndGoesAwayWithItsOwner) {
    {
        const auto listener = Listener::open(name());
        ASSERT_TRUE(listener) << listener.error().detail;
        struct stat status = {};
        ASSERT_EQ(::lstat(path_.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777u, 0660u);
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(SocketFolder, TakesTheePlaceOfADeadSocketButNotOfALiveOne) {
    const auto first = Listener::open(name());
    ASSERT_TRUE(first);
    const auto second = Listener::open(name());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().fault, Fault::unavailable);
    ::close(first->descriptor());  // dies without cleaning up: the path stays
    const int spare = ::open("/dev/null", O_RDONLY);
    EXPECT_TRUE(Listener::open(name()));
    ::close(spare);
}

TEST_F(SocketFolder, LeavesAFileInItsPlaceAlone) {
    std::fclose(std::fopen(path_.c_str(), "w"));
    EXPECT_FALSE(Listener::open(name()));
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST(Listener, SaysHowToMakeAMissingFolder) {
    const auto opened = Listener::open(*SocketName::parse("unix:/nonexistent/millrace/m.sock"));
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().detail.find("install -d"), std::string::npos);
    EXPECT_NE(opened.error().detail.find("chroot"), std::string::npos);
}

TEST(AttachLines, AreRelativeBelowThePostfixQueue) {
    const auto below =
        attach_lines(*SocketName::parse("unix:/var/spool/postfix/millrace/milter.sock"));
    EXPECT_NE(below.find("{ unix:millrace/milter.sock,"), std::string::npos);
    EXPECT_NE(below.find("S=local:/var/spool/postfix/millrace/milter.sock, F=T"),
              std::string::npos);
    const auto outside = attach_lines(*SocketName::parse("unix:/run/millrace/milter.sock"));
    EXPECT_NE(outside.find("{ unix:/run/millrace/milter.sock,"), std::string::npos);
    EXPECT_NE(outside.find("chroot"), std::string::npos);
    const auto inet = attach_lines(*SocketName::parse("inet:2526@127.0.0.1"));
    EXPECT_NE(inet.find("{ inet:127.0.0.1:2526,"), std::string::npos);
    EXPECT_NE(inet.find("S=inet:2526@127.0.0.1"), std::string::npos);
}

TEST(Reply, DoublesPercentSignsAndStaysOneLine) {
    EXPECT_EQ(escape_reply("50% off\r\nX: y"), "50%% off  X: y");
    const std::string cut = escape_reply(std::string(2'000, '%'));
    EXPECT_EQ(cut.size(), reply_text_max);
    EXPECT_EQ(trouble().kind, Reply::Kind::tempfail);
    EXPECT_EQ(trouble().code.front(), '4');
}

}  // namespace
}  // namespace millrace::milter
