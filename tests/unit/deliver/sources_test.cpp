// Goal: mail leaves from the addresses the operator named, and from no other.
#include "relay/deliver/sources.hpp"

#include <gtest/gtest.h>

#include "relay/deliver/mx.hpp"

namespace millrace::relay {
namespace {

Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

using List = std::vector<std::pair<const char*, const char*>>;

/// Addresses with their names in EHLO; each is a source of its own, called like its address.
Sources sources(const List& list) {
    config::Relay relay;
    for (auto const& [address, hostname] : list) {
        config::Source source;
        source.address = address;
        source.hostname = hostname;
        relay.sources.push_back(source);
    }
    return Sources::from(relay);
}

const char* const targets[] = {"198.51.100.1", "2001:db8::25", "127.0.0.1", "::1"};

TEST(Sources, ReachTheFamiliesTheyHaveAndLoopback) {
    struct {
        List list;
        std::array<bool, 4> reached;
    } const cases[] = {
        {{}, {true, true, true, true}},
        {{{"192.0.2.1", "a"}}, {true, false, true, true}},
        {{{"2001:db8::1", "a"}}, {false, true, true, true}},
        {{{"::", "a"}}, {false, true, true, true}},
        {{{"0.0.0.0", "a"}, {"2001:db8::1", "b"}}, {true, true, true, true}},
    };
    for (auto const& c : cases) {
        auto const all = sources(c.list);
        for (std::size_t i = 0; i < 4; ++i)
            EXPECT_EQ(all.reach(ip(targets[i])), c.reached[i]) << targets[i];
    }
}

TEST(Sources, AreChosenByTheTargetsFamilyAndOnlyLoopbackOnesForLoopback) {
    auto const both = sources({{"192.0.2.1", "four"}, {"2001:db8::1", "six"}});
    EXPECT_EQ(both.towards(ip("198.51.100.1")), (SendingSource{ip("192.0.2.1"), "four"}));
    EXPECT_EQ(both.towards(ip("2001:db8::25")), (SendingSource{ip("2001:db8::1"), "six"}));
    EXPECT_EQ(both.towards(ip("::ffff:198.51.100.1")), (SendingSource{ip("192.0.2.1"), "four"}));
    for (const char* local : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"})
        EXPECT_EQ(both.towards(ip(local)), SendingSource{}) << local;
    auto const inside = sources({{"127.0.0.9", "here"}, {"192.0.2.1", "four"}});
    EXPECT_EQ(inside.towards(ip("127.0.0.1")), (SendingSource{ip("127.0.0.9"), "here"}));
    EXPECT_EQ(inside.towards(ip("::1")), SendingSource{});
}

TEST(Sources, OneOfThemHasItsOwnAddressesOnly) {
    auto const all = sources({{"192.0.2.1", "a"}, {"192.0.2.2", "b"}});
    auto second = all.of("192.0.2.2");
    EXPECT_EQ(second.towards(ip("198.51.100.1")), (SendingSource{ip("192.0.2.2"), "b"}));
    EXPECT_FALSE(second.reach(ip("2001:db8::25")));
    // Without its address it does not become the system's choice.
    second.leave_out(ip("192.0.2.2"));
    EXPECT_FALSE(second.none());
    EXPECT_FALSE(second.reach(ip("198.51.100.1")));
    EXPECT_TRUE(second.reach(ip("127.0.0.1")));
}

TEST(Sources, AnyAddressOfAFamilyIsTheSystemsChoiceUnderThatName) {
    auto const any = sources({{"::", "six"}});
    EXPECT_EQ(any.towards(ip("2001:db8::25")), (SendingSource{std::nullopt, "six"}));
}

TEST(Sources, AdmitAddressesOfTheirFamiliesWhateverIpv6Says) {
    std::vector<std::vector<Lookup>> const groups{
        {{"a", DnsStatus::found, {ip("198.51.100.1"), ip("2001:db8::25")}, ""}}};
    Admission admission{.port = 25, .private_addresses = false, .ipv6 = false, .own = {}};
    admission.sources = sources({{"2001:db8::1", ""}});
    auto const six = std::get<0>(admit(groups, admission));
    EXPECT_EQ(six.at(0).at(0).addresses, std::vector{ip("2001:db8::25")});
    admission.ipv6 = true;
    admission.sources = sources({{"192.0.2.1", ""}});
    auto const four = std::get<0>(admit(groups, admission));
    EXPECT_EQ(four.at(0).at(0).addresses, std::vector{ip("198.51.100.1")});
    std::vector<std::vector<Lookup>> const only_six{
        {{"a", DnsStatus::found, {ip("2001:db8::25")}, ""}}};
    auto const none = std::get<Undeliverable>(admit(only_six, admission));
    EXPECT_EQ(none.enhanced, "5.4.4");
    EXPECT_NE(none.reason.find("IPv6 only, which this relay does not use (relay.sources)"),
              std::string::npos);
}

}  // namespace
}  // namespace millrace::relay
