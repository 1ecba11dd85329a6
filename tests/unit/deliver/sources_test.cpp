// Goal: mail leaves from the addresses the operator named, and from no other.
#include "relay/deliver/sources.hpp"

#include <gtest/gtest.h>

#include "relay/deliver/mx.hpp"

namespace millrace::relay {
namespace {

Address ip(const char* text) {
    return boost::asio::ip::make_address(text);
}

Sources sources(std::vector<config::Source> list) {
    config::Relay relay;
    relay.sources = std::move(list);
    return Sources::from(relay);
}

const char* const targets[] = {"198.51.100.1", "2001:db8::25", "127.0.0.1", "::1"};

TEST(Sources, ReachTheFamiliesTheyHaveAndLoopback) {
    struct {
        std::vector<config::Source> list;
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

TEST(Sources, AreChosenByTheTargetsFamilyAndNeverForLoopback) {
    auto const both = sources({{"192.0.2.1", "four"}, {"2001:db8::1", "six"}});
    EXPECT_EQ(both.towards(ip("198.51.100.1")), (SendingSource{ip("192.0.2.1"), "four"}));
    EXPECT_EQ(both.towards(ip("2001:db8::25")), (SendingSource{ip("2001:db8::1"), "six"}));
    EXPECT_EQ(both.towards(ip("::ffff:198.51.100.1")), (SendingSource{ip("192.0.2.1"), "four"}));
    for (const char* local : {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"})
        EXPECT_EQ(both.towards(ip(local)), SendingSource{}) << local;
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
