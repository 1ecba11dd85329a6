#include "relay/schedule/provider_map.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

constexpr Time start{std::chrono::hours(24 * 365)};

SiteFacts facts(const std::string& site, const std::string& host, const char* address) {
    return {site, {}, {host}, {boost::asio::ip::make_address(address)}};
}

TEST(ProviderMap, ASiteIsItsOwnProviderUntilSomethingJoinsIt) {
    ProviderMap map;
    EXPECT_EQ(map.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start), "a");
    EXPECT_EQ(map.provider_of(facts("b", "mx.b.example", "198.51.100.1"), start), "b");
    EXPECT_TRUE(map.evidence("a").empty());
    EXPECT_EQ(map.known("a"), "a");
    EXPECT_EQ(map.known("c"), "");
}

TEST(ProviderMap, AnAddressInCommonJoins) {
    ProviderMap map;
    map.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    EXPECT_EQ(map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "a");
    auto const why = map.evidence("a");
    ASSERT_EQ(why.size(), 1U);
    EXPECT_EQ(why[0].site, "b");
    EXPECT_EQ(why[0].other, "a");
    EXPECT_EQ(why[0].what, "both are reached at 192.0.2.1");
    EXPECT_EQ(why[0].since, start);
    EXPECT_EQ(map.sites("a"), (std::vector<std::string>{"a", "b"}));
}

// Goal: 200 customers of one host, each with an MX name of his own, on four addresses of one
// network.
TEST(ProviderMap, TwoHundredNamesOfOneHostAreOneProvider) {
    ProviderMap map;
    for (int i = 0; i < 200; ++i) {
        auto const n = std::to_string(i);
        auto const address = "192.0.2." + std::to_string(1 + i % 4);
        EXPECT_EQ(
            map.provider_of(facts("c" + n, "c" + n + ".mail.host.example", address.c_str()), start),
            "c0");
    }
    EXPECT_EQ(map.sites("c0").size(), 200U);
}

TEST(ProviderMap, HostsOfOneDomainInOneNetworkJoinAndInTwoDoNot) {
    ProviderMap map;
    map.provider_of(facts("a", "mx1.host.example", "192.0.2.1"), start);
    EXPECT_EQ(map.provider_of(facts("b", "mx2.host.example", "192.0.2.77"), start), "a");
    EXPECT_EQ(map.provider_of(facts("c", "mx3.host.example", "198.51.100.1"), start), "c");
    EXPECT_EQ(map.provider_of(facts("d", "mx.other.example", "192.0.2.78"), start), "d");
}

TEST(ProviderMap, ADeclaredNameWinsAtOnce) {
    ProviderMap map;
    auto one = facts("a", "mx.a.example", "192.0.2.1");
    map.provider_of(one, start);
    one.declared = "host";
    EXPECT_EQ(map.provider_of(one, start), "host");
    EXPECT_EQ(map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "host");
}

TEST(ProviderMap, WhatWasSplitOffStaysAlone) {
    ProviderMap map;
    map.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start);
    map.split("b");
    EXPECT_EQ(map.known("b"), "b");
    EXPECT_EQ(map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "b");
    EXPECT_TRUE(map.evidence("a").empty());
    EXPECT_EQ(map.provider_of(facts("c", "mx.c.example", "192.0.2.1"), start), "a");
}

// Goal: what was learned stands under the provider's name, so the name outlives a restart, whoever
// comes first then.
TEST(ProviderMap, ANameThatWasGivenOutlivesARestart) {
    ProviderMap before;
    before.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    before.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start);
    before.provider_of(facts("z", "mx.z.example", "198.51.100.7"), start);
    ProviderMap after;
    for (auto const* site : {"z", "b", "a"}) {
        after.restore(SiteNote::read(site, before.note(site).text()));
    }
    EXPECT_EQ(after.provider_of(facts("c", "mx.c.example", "192.0.2.1"), start), "a")
        << "by the address that a was first seen at";
    EXPECT_EQ(after.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "a");
    EXPECT_EQ(after.provider_of(facts("y", "mx.y.example", "198.51.100.7"), start), "z");
    auto const why = after.evidence("a");
    ASSERT_EQ(why.size(), 2U);
    EXPECT_EQ(why[0].site, "b");
    EXPECT_EQ(why[0].what, "both are reached at 192.0.2.1");
    EXPECT_EQ(why[0].since, start);
}

TEST(ProviderMap, ASplitOutlivesARestartAndCanBeTakenBack) {
    ProviderMap before;
    before.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    before.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start);
    before.split("b");
    ProviderMap after;
    after.restore(SiteNote::read("b", before.note("b").text()));
    after.restore(SiteNote::read("a", before.note("a").text()));
    EXPECT_TRUE(after.alone("b"));
    EXPECT_EQ(after.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "b");
    after.rejoin("b");
    EXPECT_EQ(after.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "a");
}

TEST(ProviderMap, WhoGaveTheOthersHisNameIsSplitOffUnderAnother) {
    ProviderMap map;
    map.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start);
    map.split("a");
    EXPECT_EQ(map.known("b"), "a");
    EXPECT_EQ(map.known("a"), "a/alone");
    EXPECT_EQ(map.provider_of(facts("b", "mx.b.example", "192.0.2.1"), start), "a");
    EXPECT_EQ(map.provider_of(facts("c", "mx.c.example", "192.0.2.1"), start), "a");
}

TEST(ProviderMap, OnlyAnAddressInCommonIsBeyondDoubt) {
    ProviderMap map;
    map.provider_of(facts("a", "mx1.host.example", "192.0.2.1"), start);
    map.provider_of(facts("b", "mx2.host.example", "192.0.2.77"), start);
    map.provider_of(facts("c", "mx.c.example", "192.0.2.1"), start);
    EXPECT_FALSE(map.doubtful("a"));
    EXPECT_TRUE(map.doubtful("b"));
    EXPECT_FALSE(map.doubtful("c"));
    ProviderMap after;
    after.restore(SiteNote::read("b", map.note("b").text()));
    EXPECT_TRUE(after.doubtful("b"));
    map.split("b");
    EXPECT_FALSE(map.doubtful("b"));
}

TEST(ProviderMap, WhatIsNotUsedForLongIsForgotten) {
    ProviderMap map;
    map.provider_of(facts("a", "mx.a.example", "192.0.2.1"), start);
    map.provider_of(facts("b", "mx.b.example", "198.51.100.1"), start);
    EXPECT_TRUE(map.touch("a", start));
    EXPECT_TRUE(map.touch("b", start));
    EXPECT_FALSE(map.touch("b", start + std::chrono::hours(23)));
    EXPECT_TRUE(map.touch("b", start + std::chrono::hours(48)));
    map.forget(start + std::chrono::hours(24));
    EXPECT_EQ(map.known("a"), "");
    EXPECT_EQ(map.known("b"), "b");
    EXPECT_EQ(map.provider_of(facts("c", "mx.c.example", "192.0.2.1"), start), "c");
}

TEST(SiteNote, IsReadAsItWasWrittenAndGarbageIsNothing) {
    SiteNote note;
    note.site = "mx.a.example";
    note.provider = "mx.b.example";
    note.why = {note.site, note.provider, "hosts of a.example in 192.0.2.0/24", start};
    note.alone = true;
    note.marks = {"192.0.2.1", "a.example 192.0.2.0/24"};
    note.greylist = std::chrono::seconds(301);
    note.used = start;
    EXPECT_EQ(SiteNote::read(note.site, note.text()), note);
    SiteNote nothing;
    nothing.site = "x";
    for (auto const* text : {"", "1", "2\ta\t\t\t0\t0\t0\t0", "1\ta\tb", "{}"}) {
        EXPECT_EQ(SiteNote::read("x", text), nothing) << text;
    }
    auto const odd = SiteNote::read("x", "1\ta\t\t\t-5\t7\t99999999999999999999\t12x");
    EXPECT_EQ(odd.provider, "a");
    EXPECT_EQ(odd.greylist, Duration::zero());
    EXPECT_FALSE(odd.alone);
}

TEST(ProviderMap, WhereHostsOfOneOperatorShareAName) {
    EXPECT_EQ(family_of("mx1.mail.example.com"), "example.com");
    EXPECT_EQ(family_of("example.com"), "example.com");
    EXPECT_EQ(family_of("mx.example.co.uk"), "example.co.uk");
    EXPECT_EQ(family_of("mx.example.com.au"), "example.com.au");
    EXPECT_EQ(family_of("localhost"), "");
    EXPECT_EQ(family_of(""), "");
    EXPECT_EQ(network_of(boost::asio::ip::make_address("192.0.2.77")), "192.0.2.0/24");
    EXPECT_EQ(network_of(boost::asio::ip::make_address("2001:db8:1:2::3")), "2001:db8:1::/48");
}

}  // namespace
}  // namespace millrace::relay
