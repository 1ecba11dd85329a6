#include "common/config/program.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace millrace::config {
namespace {

struct Started {
    Program program;
    std::string out, err;
};

class ProgramStart : public testing::Test {
  protected:
    ProgramStart() {
        std::string name = testing::TempDir() + "millrace_program_XXXXXX";
        folder_ = ::mkdtemp(name.data());
    }
    ~ProgramStart() override { std::filesystem::remove_all(folder_); }

    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
        auto const file = folder_ + "/" + name;
        std::ofstream(file) << text;
        ::chmod(file.c_str(), mode);
        return file;
    }
    static Started start(std::vector<const char*> words) {
        words.insert(words.begin(), "millrace-relay");
        testing::internal::CaptureStdout();
        testing::internal::CaptureStderr();
        auto program = start_program(static_cast<int>(words.size()),
                                     words.data(),
                                     Part::relay,
                                     "millrace-relay",
                                     "takes mail");
        std::fflush(stdout);
        return {std::move(program),
                testing::internal::GetCapturedStdout(),
                testing::internal::GetCapturedStderr()};
    }
    std::string folder_;
};

TEST_F(ProgramStart, RunsWithTheFileItIsGiven) {
    auto const file = write("m.conf", "relay = { hostname = \"mail.example.com\"; };");
    auto const started = start({"-c", file.c_str()});
    ASSERT_TRUE(started.program.run) << started.err;
    EXPECT_EQ(started.program.settings->relay.hostname, "mail.example.com");
    EXPECT_EQ(started.out + started.err, "");
}

TEST_F(ProgramStart, CheckSaysWhatIsWrongWithPlaceAndExits78) {
    auto const good = write("good.conf", "relay = { hostname = \"mail.example.com\"; };");
    auto started = start({"--check", "-c", good.c_str()});
    EXPECT_FALSE(started.program.run);
    EXPECT_EQ(started.program.exit_code, 0);
    EXPECT_EQ(started.out, good + ": in order\n");
    auto const bad = write("bad.conf", "\nrelay = { spol = 1; };");
    started = start({"-c", bad.c_str(), "--check"});
    EXPECT_EQ(started.program.exit_code, 78);
    EXPECT_EQ(started.err, bad + ":2: unknown setting relay.spol: did you mean relay.spool?\n");
    EXPECT_EQ(start({"-c", "/nonexistent.conf"}).program.exit_code, 78);
}

Result<void> wants_no_rules(const Settings& settings) {
    if (settings.relay.shaping_rules.replies.empty()) return {};
    return failure(Fault::invalid, settings.relay.shaping_rules.replies[0].place.text() + "no!");
}

TEST_F(ProgramStart, RuleFilesAreReadInOrderAndProved) {
    write("b.conf", "replies = ( { says = \"b\"; } );");
    auto const first = write("a.conf", "\nreplies = ( { says = \"a\"; } );");
    auto const file = write(
        "m",
        "relay = { hostname = \"mail.example.com\"; shaping = [ \"" + folder_ + "/*.conf\" ]; };");
    auto started = start({"-c", file.c_str()});
    ASSERT_TRUE(started.program.run) << started.err;
    auto const& rules = started.program.settings->relay.shaping_rules;
    ASSERT_EQ(rules.replies.size(), 2U);
    EXPECT_EQ(rules.replies[0].says, std::vector<std::string>{"a"});

    const char* const words[] = {"millrace-relay", "--check", "-c", file.c_str()};
    testing::internal::CaptureStderr();
    auto const program =
        start_program(4, words, Part::relay, "millrace-relay", "takes mail", wants_no_rules);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), first + ":2: no!\n");
    EXPECT_EQ(program.exit_code, 78);
    // The milter has nothing to do with them.
    auto const milter =
        start_program(4, words, Part::milter, "millrace-milter", "checks mail", wants_no_rules);
    EXPECT_EQ(milter.exit_code, 0);
    // A reload asks again.
    auto running = started.program;
    running.proof = wants_no_rules;
    EXPECT_FALSE(reload_program(running, Part::relay));
}

TEST_F(ProgramStart, ARuleFileWithAFaultIsNamedWithItsLine) {
    auto const rules = write("r.conf", "replies = (\n{ say = \"a\"; } );");
    auto const file = write(
        "m", "relay = { hostname = \"mail.example.com\"; shaping = [ \"" + rules + "\" ]; };");
    auto const started = start({"--check", "-c", file.c_str()});
    EXPECT_EQ(started.program.exit_code, 78);
    EXPECT_EQ(started.err, rules + ":2: unknown setting say: did you mean says?\n");
}

TEST_F(ProgramStart, CheckLooksAtTheFilesThatAreNamed) {
    auto const secret = write("key", "secret", 0644);
    auto const file =
        write("m.conf",
              "relay = { hostname = \"mail.example.com\"; handover_key = \"" + secret +
                  "\"; routes = ( { host = \"a.example\"; user = \"u\"; tls = \"verify\";"
                  " password_file = \"" +
                  folder_ + "/none\"; } ); };");
    auto started = start({"--check", "-c", file.c_str()});
    EXPECT_EQ(started.program.exit_code, 78);
    EXPECT_NE(started.err.find(secret + " is a secret that others may read or change: chmod 640"),
              std::string::npos)
        << started.err;
    EXPECT_NE(started.err.find("/none cannot be read: No such file or directory"),
              std::string::npos);
    // What --print-config shows does not depend on files.
    EXPECT_EQ(start({"--print-config", "-c", file.c_str()}).program.exit_code, 0);
    ::chmod(secret.c_str(), 0640);
    write("none", "pw");
    started = start({"--check", "-c", file.c_str()});
    EXPECT_EQ(started.program.exit_code, 78);
    EXPECT_NE(started.err.find("relay.handover_key: " + secret +
                               " is not one line of base64: make a new key with"),
              std::string::npos)
        << started.err;
    write("key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0640);
    EXPECT_EQ(start({"--check", "-c", file.c_str()}).program.exit_code, 0);
    // Who runs has it, and nobody is shown it.
    started = start({"-c", file.c_str()});
    ASSERT_TRUE(started.program.settings);
    EXPECT_EQ(started.program.settings->relay.handover_secret.size(), 32U);
    EXPECT_EQ(start({"--print-config", "-c", file.c_str()}).out.find("AAEC"), std::string::npos);
}

TEST_F(ProgramStart, WhatItPrintsItReads) {
    auto const file = write("m.conf", "relay = { hostname = \"mail.example.com\"; };");
    auto const printed = start({"--print-config", "-c", file.c_str()});
    auto const again = write("printed.conf", printed.out);
    EXPECT_EQ(start({"--print-config", "-c", again.c_str()}).out, printed.out);
}

TEST_F(ProgramStart, KnowsItsArguments) {
    EXPECT_EQ(start({"--help"}).program.exit_code, 0);
    EXPECT_NE(start({"--help"}).out.find("examples:"), std::string::npos);
    EXPECT_TRUE(start({"--version"}).out.starts_with("millrace-relay "));
    auto const wrong = start({"--chek"});
    EXPECT_EQ(wrong.program.exit_code, 64);
    EXPECT_NE(wrong.err.find("did you mean --check?"), std::string::npos);
    EXPECT_EQ(start({"-c"}).program.exit_code, 64);
}

TEST_F(ProgramStart, AReloadOfABadFileFailsAndSaysWhy) {
    auto const file = write("m.conf", "relay = { hostname = \"mail.example.com\"; };");
    auto const started = start({"-c", file.c_str()});
    ASSERT_TRUE(started.program.run);
    EXPECT_TRUE(reload_program(started.program, Part::relay));
    write("m.conf", "relay = { hostname = 5; };");
    auto const reloaded = reload_program(started.program, Part::relay);
    ASSERT_FALSE(reloaded);
    EXPECT_TRUE(reloaded.error().detail.starts_with(file + ":1: relay.hostname:"));
    EXPECT_EQ(started.program.settings->relay.hostname, "mail.example.com");
}

}  // namespace
}  // namespace millrace::config
