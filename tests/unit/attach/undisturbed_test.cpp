#include "relay/attach/undisturbed.hpp"

#include <gtest/gtest.h>

#include "relay/attach/program.hpp"

// Goal: Ctrl-C at a bad time comes at a good one.
namespace millrace::attach {
namespace {

volatile sig_atomic_t interrupted = 0;

TEST(UndisturbedTest, AnInterruptWaitsUntilTheChangeIsWhole) {
    auto const before = ::signal(SIGINT, [](int) { interrupted = 1; });
    {
        Undisturbed const undisturbed;
        ::raise(SIGINT);
        EXPECT_EQ(interrupted, 0);
        // A terminal interrupts every process of the command.
        auto const child = run_program({"sh", "-c", "kill -INT $$; echo whole"});
        ASSERT_TRUE(child);
        EXPECT_EQ(child->out, "whole\n");
    }
    EXPECT_EQ(interrupted, 1);
    ::signal(SIGINT, before);
    auto const child = run_program({"sh", "-c", "kill -INT $$; echo whole"});
    ASSERT_TRUE(child);
    EXPECT_EQ(child->out, "");
}

}  // namespace
}  // namespace millrace::attach
