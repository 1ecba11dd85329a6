// Goal: MX sets become sites and routes as RFC 5321 §5.1 and RFC 7505 ask (reliability: xQ2, U1).
#include "relay/deliver/mx.hpp"

#include <map>

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using Groups = std::vector<std::vector<std::string>>;

Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

struct ArrangeCase {
    const char* name;
    std::vector<MxRecord> records;
    MxSet expected;
};

const ArrangeCase arrange_cases[] = {
    {"one host", {{10, "mx.example"}}, {false, "mx.example", {{"mx.example"}}}},
    {"preference orders, equals share a group",
     {{20, "c"}, {10, "b"}, {10, "a"}},
     {false, "a,b,c", {{"a", "b"}, {"c"}}}},
    {"the site forgets preferences",
     {{5, "c"}, {7, "b"}, {9, "a"}},
     {false, "a,b,c", {{"c"}, {"b"}, {"a"}}}},
    {"a host listed twice counts once, where it is better",
     {{10, "a"}, {20, "a"}, {20, "b"}},
     {false, "a,b", {{"a"}, {"b"}}}},
    {"null MX", {{0, ""}}, {true, "", {}}},
    {"a null MX beside others is ignored", {{0, ""}, {10, "a"}}, {false, "a", {{"a"}}}},
};

TEST(Arrange, table) {
    for (const auto& c : arrange_cases)
        EXPECT_EQ(arrange(c.records), c.expected) << c.name;
}

TEST(Arrange, looks_at_twenty_hosts_at_most_the_best) {
    std::vector<MxRecord> records;
    for (unsigned i = 0; i < 200; ++i) {
        records.push_back({static_cast<std::uint16_t>(200 - i), "mx" + std::to_string(i)});
    }
    auto const set = arrange(records);
    EXPECT_EQ(set.groups.size(), mx_hosts_max);
    EXPECT_EQ(set.groups.front(), std::vector<std::string>{"mx199"});
}

Lookup found(const char* name, std::vector<Address> addresses) {
    return {name, DnsStatus::found, std::move(addresses), ""};
}
Lookup nothing(const char* name, DnsStatus status) {
    return {name, status, {}, "SERVFAIL"};
}

const Endpoint own[] = {{ip("192.0.2.25"), 25}, {ip("127.0.0.1"), 2525}};
const Admission plain{.port = 25, .private_addresses = false, .ipv6 = false, .own = own};

std::string shown(const Admitted& admitted) {
    if (auto const* no = std::get_if<Undeliverable>(&admitted)) return no->enhanced;
    if (auto const* maybe = std::get_if<Unknown>(&admitted)) return maybe->enhanced;
    std::string text;
    for (const auto& group : std::get<0>(admitted)) {
        if (!text.empty()) text += " | ";
        for (const auto& host : group) {
            if (!text.empty() && !text.ends_with(' ')) text += ' ';
            text += host.name + "=";
            for (const auto& address : host.addresses)
                text += address.to_string() + ";";
        }
    }
    return text;
}

struct AdmitCase {
    const char* name;
    std::vector<std::vector<Lookup>> groups;
    const char* expected;
};

const AdmitCase admit_cases[] = {
    {"all usable",
     {{found("a", {ip("198.51.100.1")})}, {found("b", {ip("198.51.100.2")})}},
     "a=198.51.100.1; | b=198.51.100.2;"},
    {"a host without address is passed over",
     {{nothing("a", DnsStatus::no_name), found("b", {ip("198.51.100.2")})}},
     "b=198.51.100.2;"},
    {"no host has an address",
     {{nothing("a", DnsStatus::no_data)}, {nothing("b", DnsStatus::no_name)}},
     "5.4.4"},
    {"one is unknown for now: not hopeless",
     {{nothing("a", DnsStatus::no_data)}, {nothing("b", DnsStatus::temporary)}},
     "4.4.3"},
    {"one is unknown, another will do",
     {{nothing("a", DnsStatus::temporary)}, {found("b", {ip("198.51.100.2")})}},
     "b=198.51.100.2;"},
    {"we are the best MX",
     {{found("me", {ip("192.0.2.25")})}, {found("b", {ip("198.51.100.2")})}},
     "5.4.6"},
    {"we are the backup: what is as good or worse goes",
     {{found("a", {ip("198.51.100.1")})},
      {found("b", {ip("198.51.100.2")}), found("me", {ip("192.0.2.25")})},
      {found("c", {ip("198.51.100.3")})}},
     "a=198.51.100.1;"},
    {"better ones are unknown and we are the backup: wait",
     {{nothing("a", DnsStatus::temporary)}, {found("me", {ip("192.0.2.25")})}},
     "4.4.3"},
    {"loopback", {{found("a", {ip("127.0.0.1")})}}, "5.4.4"},
    {"private",
     {{found("a", {ip("10.0.0.1"), ip("192.168.1.1"), ip("169.254.169.254")})}},
     "5.4.4"},
    {"one private address among others is passed over",
     {{found("a", {ip("10.0.0.1"), ip("198.51.100.1")})}},
     "a=198.51.100.1;"},
    {"v4-mapped loopback", {{found("a", {ip("::ffff:127.0.0.1")})}}, "5.4.4"},
    {"IPv6 only, not enabled", {{found("a", {ip("2001:db8::1")})}}, "5.4.4"},
    {"the same address twice",
     {{found("a", {ip("198.51.100.1"), ip("198.51.100.1")})}},
     "a=198.51.100.1;"},
};

TEST(Admit, table) {
    for (const auto& c : admit_cases)
        EXPECT_EQ(shown(admit(c.groups, plain)), c.expected) << c.name;
}

TEST(Admit, what_the_operator_allows) {
    auto open = plain;
    open.private_addresses = true;
    open.ipv6 = true;
    std::vector<std::vector<Lookup>> const groups{
        {found("a", {ip("127.0.0.1"), ip("2001:db8::1")})}};
    EXPECT_EQ(shown(admit(groups, open)), "a=127.0.0.1;2001:db8::1;");
    open.port = 2525;  // the port of our own listener on 127.0.0.1
    EXPECT_EQ(shown(admit(groups, open)), "5.4.6");
}

TEST(Ourselves, is_address_and_port) {
    const Endpoint any[] = {{ip("0.0.0.0"), 25}};
    EXPECT_TRUE(is_ourselves({ip("192.0.2.25"), 25}, own));
    EXPECT_TRUE(is_ourselves({ip("::ffff:192.0.2.25"), 25}, own));
    EXPECT_FALSE(is_ourselves({ip("192.0.2.25"), 26}, own));
    EXPECT_FALSE(is_ourselves({ip("192.0.2.26"), 25}, own));
    EXPECT_TRUE(is_ourselves({ip("127.0.0.7"), 25}, any));
    EXPECT_TRUE(is_ourselves({ip("0.0.0.0"), 25}, any));
    EXPECT_FALSE(is_ourselves({ip("198.51.100.1"), 25}, any));
    EXPECT_TRUE(is_ourselves({ip("0.0.0.0"), 2525}, own));
}

Host host(std::string name, std::vector<Address> addresses) {
    return {std::move(name), std::move(addresses), 25};
}

TEST(Order, keeps_preferences_and_spreads_equals_evenly) {
    Route route;
    route.groups = {{host("a", {ip("198.51.100.1")}),
                     host("b", {ip("198.51.100.2")}),
                     host("c", {ip("198.51.100.3")})},
                    {host("d", {ip("198.51.100.4")})}};
    SeededRandom random(7);
    std::map<std::string, int> first;
    constexpr int rounds = 6000;
    for (int i = 0; i < rounds; ++i) {
        auto const targets = order(route, random);
        ASSERT_EQ(targets.size(), 4U);
        EXPECT_EQ(targets.back().host, "d");
        ++first[targets.front().host];
    }
    // χ² with two degrees of freedom: p >= 0.01 below 9.21 (reliability xQ2).
    double chi = 0;
    for (const auto* name : {"a", "b", "c"}) {
        double const off = first[name] - rounds / 3.0;
        chi += off * off / (rounds / 3.0);
    }
    EXPECT_LT(chi, 9.21);
}

TEST(Order, every_host_before_any_second_address) {
    Route route;
    route.groups = {{host("a", {ip("198.51.100.1"), ip("198.51.100.2")}),
                     host("b", {ip("198.51.100.3"), ip("198.51.100.4")})}};
    SeededRandom random(1);
    auto const targets = order(route, random);
    ASSERT_EQ(targets.size(), 4U);
    EXPECT_NE(targets[0].host, targets[1].host);
    EXPECT_NE(targets[2].host, targets[3].host);
}

TEST(Order, tries_ten_addresses_and_the_backup_is_one_of_them) {
    Route route;
    std::vector<Address> many;
    for (int i = 1; i <= 40; ++i)
        many.push_back(ip(("198.51.100." + std::to_string(i)).c_str()));
    route.groups = {{host("farm", many)}, {host("backup", {ip("203.0.113.1")})}};
    SeededRandom random(1);
    auto const targets = order(route, random);
    ASSERT_EQ(targets.size(), targets_max);
    EXPECT_EQ(targets.back().host, "backup");
}

}  // namespace
}  // namespace millrace::relay
