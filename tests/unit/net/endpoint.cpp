// Goal: addresses and ranges from settings and strangers are read exactly, and no spelling of a
// private address slips through.

#include "common/net/endpoint.hpp"

#include <gtest/gtest.h>

namespace millrace {
namespace {

Address address(const char* text) {
    return boost::asio::ip::make_address(text);
}

TEST(Endpoint, ReadsWhatItPrints) {
    for (const char* text : {"192.0.2.1:25", "[2001:db8::1]:2525", "[::1]:65535"}) {
        const auto endpoint = Endpoint::parse(text, 0);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(endpoint->text(), text);
    }
}

TEST(Endpoint, TakesTheDefaultPortOnlyWhenThereIsOne) {
    EXPECT_EQ(Endpoint::parse("192.0.2.1", 53)->text(), "192.0.2.1:53");
    EXPECT_EQ(Endpoint::parse("2001:db8::1", 53)->text(), "[2001:db8::1]:53");
    EXPECT_EQ(Endpoint::parse("[2001:db8::1]", 53)->text(), "[2001:db8::1]:53");
    EXPECT_FALSE(Endpoint::parse("192.0.2.1", 0));
}

TEST(Endpoint, RefusesWhatIsNone) {
    for (const char* text : {"",
                             ":",
                             ":25",
                             "localhost:25",
                             "192.0.2.1:",
                             "192.0.2.1:0",
                             "192.0.2.1:65536",
                             "192.0.2.1:25x",
                             "192.0.2.1:-1",
                             "192.0.2.256:25",
                             "[2001:db8::1",
                             "[2001:db8::1]25",
                             "[fe80::1%1]:25",
                             "192.0.2.1 :25",
                             "1.2.3:25"}) {
        EXPECT_FALSE(Endpoint::parse(text, 25)) << text;
    }
}

TEST(Network, ContainsExactlyItsRange) {
    const auto v4 = *Network4or6::parse("198.51.100.128/25");
    EXPECT_TRUE(v4.contains(address("198.51.100.128")));
    EXPECT_TRUE(v4.contains(address("198.51.100.255")));
    EXPECT_TRUE(v4.contains(address("::ffff:198.51.100.200")));
    EXPECT_FALSE(v4.contains(address("198.51.100.127")));
    EXPECT_FALSE(v4.contains(address("2001:db8::1")));
    const auto v6 = *Network4or6::parse("2001:db8:8000::/33");
    EXPECT_TRUE(v6.contains(address("2001:db8:ffff::1")));
    EXPECT_FALSE(v6.contains(address("2001:db8:7fff::1")));
    EXPECT_TRUE(Network4or6::parse("0.0.0.0/0")->contains(address("203.0.113.9")));
    EXPECT_FALSE(Network4or6::parse("0.0.0.0/0")->contains(address("::1")));
    const auto one = *Network4or6::parse("::1");
    EXPECT_TRUE(one.contains(address("::1")));
    EXPECT_FALSE(one.contains(address("::2")));
    const auto mapped = *Network4or6::parse("::ffff:192.0.2.0/120");
    EXPECT_TRUE(mapped.contains(address("192.0.2.77")));
}

TEST(Network, RefusesWhatWouldOpenDoors) {
    for (const char* text : {"",
                             "/",
                             "127.0.0.1/8",
                             "10.0.0.0/33",
                             "10.0.0.0/",
                             "10.0.0.0/-1",
                             "10.0.0.0/8 ",
                             "::1/129",
                             "example.net",
                             "10.0.0.0/8/8"}) {
        EXPECT_FALSE(Network4or6::parse(text)) << text;
    }
}

TEST(Private, KnowsEverySpelling) {
    for (const char* text : {"0.0.0.0",
                             "0.1.2.3",
                             "10.255.0.1",
                             "100.64.0.1",
                             "100.127.255.255",
                             "127.0.0.1",
                             "127.255.255.254",
                             "169.254.169.254",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "198.18.0.1",
                             "224.0.0.1",
                             "239.1.1.1",
                             "240.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "::127.0.0.1",
                             "64:ff9b::7f00:1",
                             "64:ff9b::a00:1",
                             "64:ff9b:1::1",
                             "2002:7f00:1::1",
                             "fc00::1",
                             "fd00:ec2::254",
                             "fe80::1",
                             "febf::1",
                             "fec0::1",
                             "ff02::1",
                             "100::1"}) {
        EXPECT_TRUE(is_private(address(text))) << text;
    }
    for (const char* text :
         {"1.1.1.1",         "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
          "100.63.255.255",  "100.128.0.0",     "126.255.255.255", "128.0.0.1",
          "169.253.255.255", "172.15.255.255",  "172.32.0.0",      "192.167.255.255",
          "198.17.255.255",  "198.20.0.0",      "223.255.255.255", "203.0.113.1",
          "2001:db8::1",     "2606:4700::1111", "::ffff:8.8.8.8",  "64:ff9b::808:808",
          "2002:808:808::1"}) {
        EXPECT_FALSE(is_private(address(text))) << text;
    }
}

}  // namespace
}  // namespace millrace
