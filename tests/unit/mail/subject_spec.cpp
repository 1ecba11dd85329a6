// The Subject case table and the properties every repair must have.

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "common/mail/charset.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "tests/unit/mail/corpus.hpp"
#include "tests/unit/mail/repair_checks.hpp"

namespace millrace::mail {
namespace {

// The table's values have the line ends of the wire and no leading blank; ours begin with one.
TEST(SubjectSpec, EveryCaseOfTheTable) {
    const auto file = test::shared_corpus("subject/spec-cases.json");
    if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
    const auto cases = boost::json::parse(test::read_file(file)).as_array();
    EXPECT_EQ(cases.size(), 86U);
    for (const auto& one : cases) {
        const auto& c = one.as_object();
        const auto text = [&c](std::string_view key) {
            return std::string(std::string_view(c.at(key).as_string()));
        };
        SCOPED_TRACE(text("id") + " " + text("note"));
        const std::string fallback = text("fallback_charset");
        const TextOptions options{.fallback_charset = fallback, .content_charset = {}};
        const std::string value = " " + test::from_hex(text("input_hex"));
        const Repair repair = repair_unstructured(value, "Subject", options);
        if (text("action") == "leave") {
            EXPECT_FALSE(repair.changed) << repair.value;
            EXPECT_EQ(decode_text(value, options), text("expected_text"));
        } else {
            ASSERT_TRUE(repair.changed);
            EXPECT_EQ(repair.value, " " + text("expected_value"));
            EXPECT_EQ(decode_text(repair.value, options), text("expected_text"));
        }
        test::check_repair(value, "Subject", options);
    }
}

}  // namespace
}  // namespace millrace::mail
