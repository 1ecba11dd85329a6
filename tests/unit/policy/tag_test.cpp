#include <gtest/gtest.h>

#include "tests/unit/policy/gate_case.hpp"

// Goal: the X-tag of a message is recorded as sent when it is valid, as `email` when it is not, and
// never costs the message.
namespace millrace::policy::test {
namespace {

struct TagRow {
    std::string lines;
    std::string tag;
    bool defect;
};

TEST(TagTest, FollowsTheTable) {
    const std::string longest(64, 'a');
    for (const TagRow& row : {TagRow{"", "email", false},
                              TagRow{"X-tag: newsletter-42\n", "newsletter-42", false},
                              TagRow{"x-TAG:\t Welcome \n", "Welcome", false},
                              TagRow{"X-tag:\n one\n", "one", false},
                              TagRow{"X-tag: \n", "email", false},
                              TagRow{"X-tag: a b\n", "email", true},
                              TagRow{"X-tag: a_b\n", "email", true},
                              TagRow{"X-tag: \"a\"\n", "email", true},
                              TagRow{"X-tag: a (b)\n", "email", true},
                              TagRow{"X-tag: =?UTF-8?Q?a?=\n", "email", true},
                              TagRow{"X-tag: caf\xc3\xa9\n", "email", true},
                              TagRow{"X-tag: " + longest + "\n", longest, false},
                              TagRow{"X-tag: " + longest + "a\n", "email", true},
                              TagRow{"X-tag: a\nX-tag: a\n", "a", false},
                              TagRow{"X-tag: a\nX-tag: b\n", "a", true},
                              TagRow{"X-tag: a b\nX-tag: c\n", "c", true}}) {
        GateCase c(clean_and(row.lines));
        const Outcome outcome = c.run();
        EXPECT_EQ(outcome.verdict, Verdict{}) << row.lines;
        EXPECT_EQ(outcome.tag, row.tag) << row.lines;
        EXPECT_EQ(has_defect(outcome, "H50"), row.defect) << row.lines;
        EXPECT_TRUE(outcome.edits.empty()) << row.lines;
    }
}

TEST(TagTest, BulkIsWhatTheMessageSays) {
    const auto bulk = [](std::string_view lines) {
        return GateCase(clean_and(lines)).run().bulk;
    };
    EXPECT_FALSE(bulk(""));
    EXPECT_TRUE(bulk("List-Unsubscribe: <mailto:u@example.com>\n"));
    EXPECT_TRUE(bulk("List-Id: <l.example.com>\n"));
    EXPECT_TRUE(bulk("Precedence: Bulk\n"));
    EXPECT_TRUE(bulk("precedence: list\n"));
    EXPECT_FALSE(bulk("Precedence: first-class\n"));
}

}  // namespace
}  // namespace millrace::policy::test
