#include "relay/attach/program.hpp"

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "folder.hpp"
#include "relay/attach/postfix_instance.hpp"

// Goal: the mail server's programs are run with a bound on everything, and commands for people
// survive the shell.
namespace millrace::attach {
namespace {

using std::chrono::milliseconds;

TEST(ProgramTest, WhatItSaidAndHowItEnded) {
    auto const done = run_program({"sh", "-c", "echo out; echo error >&2; exit 3"});
    ASSERT_TRUE(done);
    EXPECT_EQ(done->exit, 3);
    EXPECT_EQ(done->out, "out\n");
    EXPECT_EQ(done->error, "error\n");
    auto const killed = run_program({"sh", "-c", "kill -TERM $$"});
    ASSERT_TRUE(killed);
    EXPECT_EQ(killed->exit, 128 + 15);
}

TEST(ProgramTest, ArgumentsAreNoShellsAndInputIsEmpty) {
    EXPECT_EQ(*output_of({"printf", "%s|", "a b", "$HOME", "'", "*"}), "a b|$HOME|'|*|");
    EXPECT_EQ(*output_of({"cat"}), "");
}

TEST(ProgramTest, AnExitStatusIsAFailureWithWhatWasSaid) {
    auto const done = output_of({"sh", "-c", "echo because >&2; exit 1"});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::unavailable);
    EXPECT_NE(done.error().detail.find("because"), std::string::npos);
}

TEST(ProgramTest, AMissingProgramIsNotFound) {
    for (auto const* name : {"no-such-program-here", "/no/such/program"}) {
        auto const done = run_program({name});
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().fault, Fault::not_found);
    }
}

TEST(ProgramTest, OutputIsBoundedAndTheProgramEndsAllTheSame) {
    auto const done = run_program({"head", "-c", "20000000", "/dev/zero"});
    ASSERT_TRUE(done);
    EXPECT_EQ(done->exit, 0);
    EXPECT_EQ(done->out.size(), output_max);
}

TEST(ProgramTest, AfterTheDeadlineItIsKilled) {
    Folder const folder;
    auto const said = run_program(
        {"sh", "-c", "echo $$ > '" + (folder / "pid") + "'; exec sleep 600"}, milliseconds(500));
    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().fault, Fault::timed_out);
    auto const pid = bytes_of(folder / "pid");
    EXPECT_FALSE(std::filesystem::exists("/proc/" + pid.substr(0, pid.find('\n'))));
}

TEST(ProgramTest, TheDeadlineHoldsForAProgramThatClosedItsOutput) {
    auto const done = run_program({"sh", "-c", "exec >&- 2>&-; exec sleep 600"}, milliseconds(500));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().fault, Fault::timed_out);
}

/// What a shell makes of the commands, with a postconf that writes its arguments down.
TEST(ProgramTest, CommandsForPeopleSurviveTheShell) {
    Folder const folder;
    put(folder / "postconf", "#!/bin/sh\nfor word; do printf '<%s>' \"$word\"; done\necho\n");
    ASSERT_EQ(::chmod((folder / "postconf").c_str(), 0755), 0);
    std::vector<Change> const changes{
        {Change::Where::main, "millrace_milter", "{ unix:x, default_action=accept }"},
        {Change::Where::main, "a", "it's $HOME `date` \\ \"q\""},
        {Change::Where::option, "smtp/inet/smtpd_milters", "$it's"},
        {Change::Where::service, "millrace/unix", "millrace unix - - y - - smtp"}};
    auto const commands = as_commands("/etc/post fix's", changes);
    auto const done = output_of({"sh", "-c", "PATH='" + folder.path() + "'; " + commands});
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_EQ(*done,
              "<-c></etc/post fix's><-e><millrace_milter = { unix:x, default_action=accept }>\n"
              "<-c></etc/post fix's><-e><a = it's $HOME `date` \\ \"q\">\n"
              "<-c></etc/post fix's><-P><-e><smtp/inet/smtpd_milters=$it's>\n"
              "<-c></etc/post fix's><-M><-e><millrace/unix=millrace unix - - y - - smtp>\n");
}

}  // namespace
}  // namespace millrace::attach
