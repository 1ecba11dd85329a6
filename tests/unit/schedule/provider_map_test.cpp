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
