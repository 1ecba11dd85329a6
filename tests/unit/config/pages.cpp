#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "common/config/load.hpp"
#include "common/config/table.hpp"

// The pages for people come from the table. When a test here fails after the table was changed:
// MILLRACE_WRITE_PAGES=1 tests/unit_config --gtest_filter='Pages.*' writes them anew.

namespace millrace::config {
namespace {

void expect_same(const std::string& path, const std::string& generated) {
    auto const file = std::string(MILLRACE_SOURCE_DIR) + "/contrib/" + path;
    if (std::getenv("MILLRACE_WRITE_PAGES") != nullptr) {
        std::ofstream(file) << generated;
    }
    std::ifstream in(file);
    std::ostringstream stored;
    stored << in.rdbuf();
    EXPECT_EQ(stored.str(), generated) << file;
}

TEST(Pages, TheExampleIsWhatTheTableSays) {
    expect_same("examples/millrace.conf", example());
}

TEST(Pages, TheReferenceIsWhatTheTableSays) {
    expect_same("examples/REFERENCE.md", reference());
}

TEST(Pages, TheManualPageIsWhatTheTableSays) {
    expect_same("man/millrace.conf.5", manual_page());
}

TEST(Pages, TheExampleChangesNothing) {
    auto const defaults = parse("", "t.conf");
    auto const parsed = parse(example(), "example");
    ASSERT_TRUE(parsed) << parsed.error().detail;
    EXPECT_EQ(**parsed, **defaults);
}

TEST(Pages, EveryLineOfTheExampleMayBeUncommented) {
    // `#name = value;`, `#} );` and what stands between them; prose has a blank behind its #.
    std::istringstream lines(example());
    std::string all;
    for (std::string line; std::getline(lines, line);) {
        all += std::regex_replace(line, std::regex("^( *)#(?! [^ ])"), "$1") + "\n";
    }
    auto const parsed = parse(all, "example");
    ASSERT_TRUE(parsed) << parsed.error().detail << "\n" << all;
    auto settings = **parsed;
    EXPECT_EQ(settings.relay.routes.size(), 1U);  // an example of one: the default has none
    settings.relay.routes.clear();
    EXPECT_EQ(settings.relay.sources.size(), 1U);
    settings.relay.sources.clear();
    EXPECT_EQ(settings.relay.pools.size(), 1U);
    settings.relay.pools.clear();
    // Each check is spelled out now: the same actions as when left to their defaults.
    auto const defaults = parse("", "t.conf");
    for (auto const& row : policy::check_table()) {
        EXPECT_EQ(settings.gate.action(row.check), (*defaults)->gate.action(row.check));
    }
    settings.gate.actions = (*defaults)->gate.actions;
    EXPECT_EQ(settings, **defaults);
}

TEST(Pages, EverySettingHasASentenceAndAUniqueName) {
    Settings settings;
    settings.relay.listeners.resize(1);
    settings.relay.routes.resize(1);
    settings.relay.sources.resize(1);
    settings.relay.pools.resize(1);
    std::set<std::string> names;
    std::function<void(const std::vector<Setting>&, const std::string&)> const look =
        [&](const std::vector<Setting>& lines, const std::string& prefix) {
            for (auto const& line : lines) {
                EXPECT_TRUE(names.insert(prefix + line.name).second) << line.name;
                EXPECT_TRUE(line.sentence.ends_with('.')) << line.name;
                EXPECT_FALSE(line.when.ends_with('.')) << line.name;
                if (line.items) {
                    look(line.items->element(0), line.name + ".");
                }
            }
        };
    look(table(settings), "");
    EXPECT_GT(names.size(), 60U);
}

}  // namespace
}  // namespace millrace::config
