// Goal: whatever bytes a DNS server puts into a record, we read what the RFCs say or nothing.

#include "common/net/dns_wire.hpp"

#include <gtest/gtest.h>

#include "common/net/random.hpp"

namespace millrace {
namespace {

using namespace std::string_literals;

TEST(DnsName, ReadsLabels) {
    EXPECT_EQ(read_dns_name("\3MX1\7Example\3net\0"s), "mx1.example.net");
    EXPECT_EQ(read_dns_name("\0"s), "");
    EXPECT_EQ(read_dns_name("\4a b\x01\1c\0"s), "a\\032b\\001.c");
    EXPECT_EQ(read_dns_name("\3a.b\0"s), "a\\046b") << "a dot inside a label is no separator";
}

TEST(DnsName, RefusesWhatIsNoName) {
    for (const std::string& wire : {""s,
                                    "\3ab"s,
                                    "\3abc"s,
                                    "\1a\0x"s,
                                    "\xc0\x0c"s,
                                    "\x40"s + std::string(64, 'a') + "\0"s,
                                    std::string(255, '\1') + "\0"s}) {
        EXPECT_FALSE(read_dns_name(wire)) << wire.size();
    }
}

TEST(DnsMx, ReadsPreferenceAndHost) {
    const auto mx = read_mx("\x01\x02\2mx\4test\0"s);
    ASSERT_TRUE(mx);
    EXPECT_EQ(mx->preference, 258);
    EXPECT_EQ(mx->host, "mx.test");
    const auto null = read_mx("\0\0\0"s);
    ASSERT_TRUE(null);
    EXPECT_EQ(*null, (MxRecord{0, ""}));
    EXPECT_FALSE(read_mx("\0\1"s));
    EXPECT_FALSE(read_mx("\0\1\2a"s));
}

TEST(DnsAddress, IsFourOrSixteenBytes) {
    EXPECT_EQ(read_address("\xc0\0\2\1"s)->to_string(), "192.0.2.1");
    EXPECT_EQ(read_address(std::string(15, '\0') + "\1")->to_string(), "::1");
    EXPECT_FALSE(read_address("\1\2\3"s));
    EXPECT_FALSE(read_address(std::string(17, 'x')));
}

TEST(DnsTxt, JoinsItsStrings) {
    EXPECT_EQ(read_txt("\3abc\0\2de"s), "abcde");
    EXPECT_FALSE(read_txt(""s));
    EXPECT_FALSE(read_txt("\4abc"s));
}

TEST(DnsWire, SurvivesAnyBytes) {
    SeededRandom random(7);
    for (int i = 0; i < 200'000; ++i) {
        std::string bytes(random.below(40), '\0');
        for (char& c : bytes)
            c = static_cast<char>(random.below(8) == 0 ? random.next() : 3);
        if (const auto name = read_dns_name(bytes)) EXPECT_LE(name->size(), 1024U);
        read_mx(bytes);
        read_address(bytes);
        read_txt(bytes);
    }
}

}  // namespace
}  // namespace millrace
