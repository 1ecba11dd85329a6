#include <gtest/gtest.h>

#include "relay/cli/forecast_view.hpp"

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

TEST(DomainList, TakesDomainsCountsAndAddresses) {
    DomainCounts counts;
    for (auto const* line : {"Example.com 1200",
                             "anna@example.com",
                             "  # a comment",
                             "",
                             "example.net;7",
                             "bücher.example\t3 # many",
                             "none.example 0"}) {
        EXPECT_TRUE(take_domain_line(counts, line)) << line;
    }
    EXPECT_EQ(
        counts,
        (DomainCounts{{"example.com", 1201}, {"example.net", 7}, {"xn--bcher-kva.example", 3}}));
}

TEST(DomainList, SaysWhatIsWrong) {
    DomainCounts counts;
    for (auto const* line : {"example.com many",
                             "example.com -1",
                             "a b c",
                             "two words.example 1",
                             "example.com 99999999999999999999",
                             "..",
                             "\x01"}) {
        EXPECT_FALSE(take_domain_line(counts, line)) << line;
    }
    EXPECT_TRUE(counts.empty());
}

TEST(ForecastView, SaysWhenAndWhatItGoesBy) {
    Forecast f;
    f.now = Time(24h * 365 * 56);
    f.rows.push_back({"one.example", "one", 500, 0, 3, {1h, 2h, 3h}, "5 connections"});
    f.rows.push_back({"two.example", "two", 7, 0, 0, {10s, {}, {}}, "blocked (reputation)"});
    f.total = {"all", "", 507, 0, 3, {1h, 2h, {}}, ""};
    f.assumes = {"no other mail comes meanwhile"};
    auto const text = view_forecast(f, 1, {});
    EXPECT_NE(text.find("507 messages to deliver: done in 2h"), std::string::npos) << text;
    EXPECT_NE(text.find("perhaps not before it expires"), std::string::npos) << text;
    EXPECT_NE(text.find("5 connections; 3 more held"), std::string::npos) << text;
    EXPECT_EQ(text.find("two.example"), std::string::npos) << text;
    EXPECT_NE(text.find("1 destination that"), std::string::npos) << text;
    EXPECT_NE(text.find("no other mail"), std::string::npos) << text;
    EXPECT_NE(view_forecast({}, 30, {}).find("nothing waits"), std::string::npos);
}

}  // namespace
}  // namespace millrace::relay
