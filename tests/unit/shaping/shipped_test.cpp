// Goal: the rules that come with Millrace are themselves what --check asks of an operator's: every
// pattern fires on its own example, and every match leads somewhere.
#include <gtest/gtest.h>

#include "relay/shaping/rule_book.hpp"
#include "relay/shaping/shipped_files.hpp"

namespace millrace::relay {
namespace {

TEST(Shipped, every_rule_proves_itself) {
    for (auto const& fault : RuleBook::faults(shipped_rules(), {})) {
        ADD_FAILURE() << fault;
    }
    EXPECT_GE(shipped_rules().replies.size(), 200U);
    EXPECT_GE(shipped_rules().providers.size(), 15U);
}

TEST(Shipped, every_file_is_embedded_under_the_name_it_is_installed_as) {
    ASSERT_FALSE(shipped_files().empty());
    for (auto const& file : shipped_files()) {
        EXPECT_TRUE(file.name.starts_with("/usr/share/millrace/shaping/")) << file.name;
        EXPECT_TRUE(config::parse_shaping(std::string(file.text), std::string(file.name)));
    }
}

}  // namespace
}  // namespace millrace::relay
