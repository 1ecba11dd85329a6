// Goal: rules that can never apply are refused with file, line, reason and what to do. The files in
// tests/data/shaping/broken imitate rules that lay dead in other people's systems for years.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "relay/shaping/rule_book.hpp"

namespace millrace::relay {
namespace {

const std::string folder = std::string(MILLRACE_SOURCE_DIR) + "/tests/data/shaping/broken/";

std::string refusal_of(const std::string& file) {
    auto const rules = config::load_shaping({file});
    if (!rules) return rules.error().detail;
    auto const book = RuleBook::compile(*rules, {});
    return book ? std::string("in order") : book.error().detail;
}

TEST(BrokenRules, each_is_refused_with_its_place_its_reason_and_a_next_step) {
    std::ifstream list(folder + "expected.tsv");
    unsigned count = 0;
    for (std::string line; std::getline(list, line); ++count) {
        std::istringstream fields(line);
        std::string file, number, reason, advice;
        std::getline(fields, file, '\t');
        std::getline(fields, number, '\t');
        std::getline(fields, reason, '\t');
        std::getline(fields, advice, '\t');
        auto const said = refusal_of(folder + file);
        EXPECT_TRUE(said.starts_with(folder + file + ":" + number + ": ")) << said;
        EXPECT_NE(said.find(reason), said.npos) << said;
        EXPECT_NE(said.find(advice), said.npos) << said;
        EXPECT_EQ(said.find('\n'), said.npos) << said;
    }
    EXPECT_GE(count, 6U);
}

std::string refusal(const std::string& text) {
    auto const rules = config::parse_shaping(text, "x.conf");
    if (!rules) return rules.error().detail;
    auto const faults = RuleBook::faults(*rules, shipped_rules());
    return faults.empty() ? "in order" : faults.front();
}

TEST(BrokenRules, what_cannot_be_deferred) {
    auto const rule = [](const std::string& rest) {
        return refusal("replies = ( { says = \"hello moon\"; defer = true; " + rest + " } );");
    };
    EXPECT_NE(rule("type = \"content\"; example = \"550 hello moon\";").find("defer is for limits"),
              std::string::npos);
    EXPECT_NE(rule("type = \"rate\"; example = \"450 hello moon\";").find("defer has no effect"),
              std::string::npos);
    EXPECT_EQ(rule("type = \"rate\"; example = \"550 hello moon\";"), "in order");
}

TEST(BrokenRules, form) {
    EXPECT_EQ(refusal("provider = ();"),
              "x.conf:1: unknown setting provider: a rule file has providers = ( … ) and replies = "
              "( … )");
    EXPECT_EQ(refusal("replies = ( { say = \"x\"; } );"),
              "x.conf:1: unknown setting say: did you mean says?");
    EXPECT_EQ(refusal("replies = ( { says = \"hello\"; type = \"rates\"; example = \"421 hello\"; "
                      "} );")
                  .substr(0, 45),
              "x.conf:1: unknown type \"rates\": one of none, ");
    EXPECT_EQ(refusal("\nreplies = ( { type = \"rate\"; code = \"421\"; example = \"421 x\"; } );"),
              "x.conf:2: the pattern needs says or enhanced: a code alone means nothing certain");
    EXPECT_NE(refusal("replies = ( { says = \"hello\"; type = \"rate\"; } );").find("examples"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"X Y\"; } );").find("needs a name"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"x\"; match = { mx = [ \"com\" ]; }; } );")
                  .find("at least two labels"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"x\"; match = { mx = [ \"192.0.2.1\" ]; }; } );")
                  .find("write it in match.addresses"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"x\"; match = { addresses = [ \"0.0.0.0/0\" ]; }; } "
                      ");")
                  .find("is no network"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"x\"; match = { mx = [ \"a.example.com\", "
                      "\"example.com\" ]; }; } );")
                  .find("adds nothing"),
              std::string::npos);
    EXPECT_NE(refusal("providers = ( { name = \"google\"; limits = { connections = 3; }; }, { name "
                      "= \"google\"; limits = { connections = 4; }; } );")
                  .find("is never used"),
              std::string::npos);
    EXPECT_NE(refusal("replies = ( { says = \"hello\"; type = \"rate\"; example = \"hello\"; } );")
                  .find("is no refusal"),
              std::string::npos);
}

TEST(BrokenRules, an_own_rule_may_take_what_a_shipped_one_took) {
    EXPECT_EQ(
        refusal("providers = ( { name = \"mine\"; match = { mx = [ \"google.com\" ]; }; } );"),
        "in order");
    EXPECT_EQ(refusal("replies = ( { says = \"greylist\"; type = \"rate\"; example = \"450 "
                      "greylisted\"; } );"),
              "in order");
}

TEST(BrokenRules, files_that_are_not_there) {
    auto const none = config::load_shaping({"/nonexistent/millrace/x.conf"});
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().detail.find("/nonexistent/millrace/x.conf cannot be read"),
              std::string::npos);
    // A pattern may stand for nothing: the folder fills later.
    EXPECT_TRUE(config::load_shaping({"/nonexistent/millrace/*.conf"}));
}

}  // namespace
}  // namespace millrace::relay
