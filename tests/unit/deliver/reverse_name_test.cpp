// Goal: an IPv6 address is used only while a name leads back to it, and a name server that is down
// changes nothing.
#include "relay/deliver/reverse_name.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

using namespace std::chrono_literals;

const Address ours = boost::asio::ip::make_address("2001:db8::1");
const Address other = boost::asio::ip::make_address("2001:db8::2");
constexpr Time now{24h * 365};

template <class Record>
DnsAnswer<Record> found(std::vector<Record> records, Duration ttl = 10min) {
    auto const status = records.empty() ? DnsStatus::no_name : DnsStatus::found;
    return {status, std::move(records), ttl, false, ""};
}
template <class Record>
DnsAnswer<Record> trouble() {
    return {DnsStatus::temporary, {}, {}, false, "SERVFAIL"};
}
using Names = DnsAnswer<std::string>;
using Addresses = DnsAnswer<Address>;

TEST(ReverseName, OneThatLeadsBackConfirmsTheAddress) {
    auto const name = confirm({},
                              ours,
                              found<std::string>({"a.example", "b.example"}),
                              {{"a.example", found<Address>({other})},
                               {"b.example", found<Address>({other, ours}, 5min)}},
                              now);
    EXPECT_TRUE(name.confirmed && name.known);
    EXPECT_EQ(name.name, "b.example");
    EXPECT_EQ(name.again, now + 5min);
}

TEST(ReverseName, WithoutOneItIsNotUsedAndItIsSaidWhy) {
    auto const none = confirm({}, ours, found<std::string>({}), {}, now);
    EXPECT_FALSE(none.confirmed);
    EXPECT_EQ(none.why, "2001:db8::1 has no reverse name");
    EXPECT_EQ(none.again, now + 10min);
    auto const astray = confirm(
        {}, ours, found<std::string>({"a.example"}), {{"a.example", found<Address>({other})}}, now);
    EXPECT_FALSE(astray.confirmed);
    EXPECT_EQ(astray.why, "the reverse name of 2001:db8::1, a.example, does not have that address");
}

TEST(ReverseName, ALookUpThatFailsKeepsWhatWasKnown) {
    auto const good = confirm(
        {}, ours, found<std::string>({"a.example"}), {{"a.example", found<Address>({ours})}}, now);
    auto const later = now + 1h;
    for (auto const& kept : {confirm(good, ours, trouble<std::string>(), {}, later),
                             confirm(good,
                                     ours,
                                     found<std::string>({"a.example"}),
                                     {{"a.example", trouble<Address>()}},
                                     later)}) {
        EXPECT_TRUE(kept.confirmed);
        EXPECT_EQ(kept.again, later + 1min);
    }
    auto const bad = confirm({}, ours, found<std::string>({}), {}, now);
    EXPECT_FALSE(confirm(bad, ours, trouble<std::string>(), {}, later).confirmed);
    auto const unknown = confirm({}, ours, trouble<std::string>(), {}, now);
    EXPECT_FALSE(unknown.known);
    EXPECT_EQ(unknown.why, "the reverse name of 2001:db8::1 cannot be looked up: SERVFAIL");
    // When the answer is no, it is no, whatever was before.
    EXPECT_FALSE(confirm(good, ours, found<std::string>({}), {}, later).confirmed);
}

TEST(ReverseName, IsAskedAgainBetweenAMinuteAndAnHour) {
    auto const soon = confirm({},
                              ours,
                              found<std::string>({"a.example"}, 1s),
                              {{"a.example", found<Address>({ours}, 1s)}},
                              now);
    EXPECT_EQ(soon.again, now + 1min);
    auto const late = confirm({}, ours, found<std::string>({}, 48h), {}, now);
    EXPECT_EQ(late.again, now + 1h);
}

}  // namespace
}  // namespace millrace::relay
