// Goal: the operator's command runs as written, alone, with nothing of ours, and never for ever.
#include "relay/errand.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

class Notebook final : public Log {
  public:
    void write(Level, std::string_view event, std::initializer_list<Field> fields) override {
        lines.push_back(format_log_line(event, fields));
    }
    std::vector<std::string> lines;
};

class ErrandTest : public testing::Test {
  protected:
    ErrandTest() {
        std::string name = std::filesystem::temp_directory_path() / "errand-XXXXXX";
        folder = ::mkdtemp(name.data());
    }
    ~ErrandTest() override { std::filesystem::remove_all(folder); }

    /// Until so many commands have ended.
    void wait(std::size_t ends, Duration at_most = 20s) {
        asio::steady_timer alarm(loop, at_most);
        // The handler of a cancelled timer runs when the loop does, which may be after this.
        auto const rung = std::make_shared<bool>(false);
        alarm.async_wait([rung](const boost::system::error_code& e) { *rung = *rung || !e; });
        while (diary.lines.size() < ends && !*rung)
            loop.run_one();
        EXPECT_EQ(diary.lines.size(), ends);
    }
    void stop(Errand& errand) {
        bool stopped = false;
        asio::co_spawn(loop, errand.stop(), [&](std::exception_ptr) { stopped = true; });
        while (!stopped && loop.run_one() > 0) {
        }
        EXPECT_TRUE(stopped);
    }
    std::string path(const char* name) const { return folder + "/" + name; }
    std::string content(const char* name) const {
        std::ifstream in(path(name));
        std::ostringstream text;
        text << in.rdbuf();
        return text.str();
    }
    static std::vector<std::string> shell(std::string script) {
        return {"/bin/sh", "-c", std::move(script)};
    }

    std::string folder;
    asio::io_context loop{1};
    Notebook diary;
};

TEST_F(ErrandTest, RunsItsArgumentsAsTheyAre) {
    Errand errand(loop.get_executor(), diary, "relay.wake");
    errand.run({"/usr/bin/touch", path("a b"), path("$HOME;c")});
    wait(1);
    EXPECT_EQ(diary.lines[0], "relay.wake-done command=/usr/bin/touch");
    EXPECT_TRUE(std::filesystem::exists(path("a b")));
    EXPECT_TRUE(std::filesystem::exists(path("$HOME;c")));
    stop(errand);
}

TEST_F(ErrandTest, InheritsNeitherDescriptorsNorEnvironmentNorSignals) {
    ::setenv("SECRET_OF_OURS", "x", 1);
    std::signal(SIGPIPE, SIG_IGN);
    int const ours = ::dup(STDOUT_FILENO);  // not close-on-exec
    Errand errand(loop.get_executor(), diary, "relay.wake");
    errand.run(shell("/usr/bin/env > " + path("env") + "; ls /proc/self/fd > " + path("fd") +
                     "; grep SigIgn /proc/self/status > " + path("signals") + "; pwd > " +
                     path("pwd")));
    wait(1);
    ::close(ours);
    EXPECT_EQ(content("env").find("SECRET_OF_OURS"), std::string::npos);
    EXPECT_NE(content("env").find("PATH=/usr/sbin:/usr/bin:/sbin:/bin\n"), std::string::npos);
    EXPECT_EQ(content("fd"), "0\n1\n2\n3\n") << "3 is the folder that ls reads";
    auto const mask = content("signals").substr(std::string("SigIgn:\t").size());
    // 32 and 33 are the C library's own.
    EXPECT_EQ(std::stoull(mask, nullptr, 16) & 0x7FFF'FFFFU, 0U) << mask;
    EXPECT_EQ(content("pwd"), "/\n");
    stop(errand);
}

TEST_F(ErrandTest, TellsWhyItFailedAndNoMoreThanThat) {
    Errand errand(loop.get_executor(), diary, "relay.wake");
    errand.run(shell("echo cannot do it >&2; exit 3"));
    wait(1);
    EXPECT_EQ(diary.lines[0],
              "relay.wake-failed command=/bin/sh why=\"exit 3\" said=\"cannot do it\\x0a\"");
    errand.run({"/no/such/program"});
    wait(2);
    EXPECT_EQ(diary.lines[1],
              "relay.wake-failed command=/no/such/program why=\"No such file or directory\"");
    errand.run(shell("head -c 3000000 /dev/zero | tr '\\0' x; exit 1"));
    wait(3);
    EXPECT_LT(diary.lines[2].size(), 2'200U);
    EXPECT_GT(diary.lines[2].size(), 2'000U);
    stop(errand);
}

TEST_F(ErrandTest, OneAtATimeAndOnceMoreForAllThatCameMeanwhile) {
    Errand errand(loop.get_executor(), diary, "relay.wake");
    auto const one = shell("mkdir " + path("lock") + " || echo two >> " + path("two") +
                           "; echo run >> " + path("runs") + "; rmdir " + path("lock"));
    errand.run(one);
    loop.poll();  // begun
    for (int i = 0; i < 5; ++i)
        errand.run(one);
    wait(2);
    EXPECT_EQ(content("runs"), "run\nrun\n");
    EXPECT_EQ(content("two"), "");
    stop(errand);
}

TEST_F(ErrandTest, IsKilledWithAllItStartedWhenItTakesTooLong) {
    Errand errand(loop.get_executor(), diary, "relay.wake", 200ms);
    errand.run(shell("sleep 1000 & echo $! > " + path("pid") + "; wait"));
    wait(1);
    EXPECT_TRUE(
        diary.lines[0].starts_with("relay.wake-failed command=/bin/sh why=\"it took too long\""))
        << diary.lines[0];
    auto const pid = static_cast<pid_t>(std::atol(content("pid").c_str()));
    // Dying takes it a moment; then it is gone, or a zombie that nobody here can reap.
    auto const alive = [pid] {
        std::ifstream state("/proc/" + std::to_string(pid) + "/stat");
        std::string id, name, letter = "Z";
        state >> id >> name >> letter;
        return letter != "Z" && letter != "X";
    };
    asio::steady_timer pause(loop);
    for (int i = 0; i < 500 && alive(); ++i) {
        pause.expires_after(10ms);
        pause.wait();
    }
    EXPECT_FALSE(alive());
    stop(errand);
}

TEST_F(ErrandTest, StopEndsIt) {
    Errand errand(loop.get_executor(), diary, "relay.wake", 1h);
    errand.run(shell("exec sleep 1000"));
    loop.poll();
    stop(errand);
    errand.run(shell("echo late > " + path("late")));
    loop.poll();
    EXPECT_FALSE(std::filesystem::exists(path("late")));
}

}  // namespace
}  // namespace millrace::relay
