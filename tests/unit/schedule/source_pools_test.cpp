// Goal: mail is shared out among our sources by weight, every attempt for a message comes from the
// same one, and a change of the sources moves as little as it can.
#include "relay/schedule/source_pools.hpp"

#include <gtest/gtest.h>

namespace millrace::relay {
namespace {

config::Source source(const std::string& address, const std::string& name, unsigned weight = 1) {
    config::Source s;
    s.address = address;
    s.name = name;
    s.weight = weight;
    return s;
}

config::Relay relay_with(std::vector<config::Source> sources,
                         std::vector<config::Pool> pools = {}) {
    config::Relay relay;
    relay.sources = std::move(sources);
    relay.pools = std::move(pools);
    return relay;
}

StreamKey key(const std::string& to, unsigned slot = 0, const std::string& from = "shop.example") {
    StreamKey k;
    k.destination = to;
    k.sender_domain = from;
    k.slot = static_cast<std::uint8_t>(slot);
    return k;
}

std::map<std::string, unsigned> parts(const SourcePools& pools, const std::string& to) {
    std::map<std::string, unsigned> all;
    for (unsigned slot = 0; slot < slots; ++slot)
        ++all[pools.preference(key(to, slot), {}).front()->name];
    return all;
}

TEST(SourcePools, EachSourceHasItsPartOfEveryDestinationToWithinOneSlot) {
    auto const pools = SourcePools::from(relay_with(
        {source("192.0.2.1", "a", 1), source("192.0.2.2", "b", 2), source("192.0.2.3", "c", 5)}));
    std::map<std::string, unsigned> sum;
    for (unsigned n = 0; n < 200; ++n) {
        for (auto const& [name, slots_of_it] : parts(pools, "d" + std::to_string(n) + ".example")) {
            auto const weight = name == "a" ? 1.0 : name == "b" ? 2.0 : 5.0;
            EXPECT_NEAR(slots_of_it, weight * slots / 8, 1.0) << name << " " << n;
            sum[name] += slots_of_it;
        }
    }
    EXPECT_NEAR(sum["a"], 200 * 2, 40);
    EXPECT_NEAR(sum["c"], 200 * 10, 40);
}

TEST(SourcePools, TheChoiceIsTheSameForEver) {
    auto const pools = SourcePools::from(
        relay_with({source("192.0.2.1", "a"), source("192.0.2.2", "b"), source("192.0.2.3", "c")}));
    // Written down: mail that waits must find its source after an upgrade of this program.
    std::string first;
    for (unsigned slot = 0; slot < slots; ++slot)
        first += pools.preference(key("mail.example", slot), {}).front()->name;
    EXPECT_EQ(first, "ccaaaaaabbbbbccc");
    EXPECT_EQ(slot_of("shop.example", "Bob@Mail.Example"),
              slot_of("shop.example", "bob@mail.example"));
    EXPECT_EQ(slot_of("shop.example", "bob@mail.example"), 6U);
}

TEST(SourcePools, EverySourceThatReachesTheServerStandsInThePreferenceOnce) {
    auto const pools = SourcePools::from(relay_with({source("192.0.2.1", "a"),
                                                     source("2001:db8::1", "six"),
                                                     source("192.0.2.2", "pair"),
                                                     source("2001:db8::2", "pair")}));
    ASSERT_EQ(pools.sources().size(), 3U);
    auto const names = [&](Families there) {
        std::set<std::string> all;
        for (auto const* const one : pools.preference(key("mail.example"), there))
            EXPECT_TRUE(all.insert(one->name).second);
        return all;
    };
    EXPECT_EQ(names({.v4 = true, .v6 = true}), (std::set<std::string>{"a", "six", "pair"}));
    EXPECT_EQ(names({.v4 = true, .v6 = false}), (std::set<std::string>{"a", "pair"}));
    EXPECT_EQ(names({.v4 = false, .v6 = true}), (std::set<std::string>{"six", "pair"}));
    EXPECT_EQ(names({.v4 = false, .v6 = false, .loopback = true}).size(), 3U);
    // Nothing reaches it: it is tried all the same, and the attempt says why that is in vain.
    EXPECT_EQ(names({.v4 = false, .v6 = false}).size(), 3U);
}

TEST(SourcePools, WhatIsWarmedUpIsTheLastResort) {
    auto cold = source("192.0.2.1", "cold");
    cold.warm_up = true;
    auto const pools = SourcePools::from(relay_with(
        {cold, source("192.0.2.2", "b"), source("192.0.2.3", "c"), source("192.0.2.4", "d")}));
    for (unsigned slot = 0; slot < slots; ++slot) {
        auto const all = pools.preference(key("mail.example", slot), {});
        EXPECT_TRUE(all.front()->name == "cold" || all.back()->name == "cold");
    }
}

TEST(SourcePools, WithoutItsSourceMailIsSpreadOverTheOthers) {
    auto const pools = SourcePools::from(relay_with({source("192.0.2.1", "a"),
                                                     source("192.0.2.2", "b"),
                                                     source("192.0.2.3", "c"),
                                                     source("192.0.2.4", "d")}));
    std::map<std::string, unsigned> second;
    for (unsigned n = 0; n < 100; ++n) {
        for (unsigned slot = 0; slot < slots; ++slot) {
            auto const all = pools.preference(key("d" + std::to_string(n) + ".example", slot), {});
            if (all[0]->name == "a") ++second[all[1]->name];
        }
    }
    EXPECT_EQ(second.size(), 3U);
    for (auto const& [name, count] : second)
        EXPECT_NEAR(count, 400.0 / 3, 40) << name;
}

TEST(SourcePools, TheFirstPoolThatFitsCounts) {
    config::Pool letters{"letters", {"b"}, {"bulk"}, {}};
    config::Pool company{"company", {"a", "c"}, {}, {"company.example", ".company.example"}};
    auto const pools = SourcePools::from(
        relay_with({source("192.0.2.1", "a"), source("192.0.2.2", "b"), source("192.0.2.3", "c")},
                   {letters, company}));
    auto const pool = [&](Class klass, const std::string& from) {
        auto k = key("mail.example", 0, from);
        k.klass = klass;
        return std::string(pools.pool_of(k));
    };
    EXPECT_EQ(pool(Class::bulk, "shop.example"), "letters");
    EXPECT_EQ(pool(Class::bulk, "company.example"), "letters");
    EXPECT_EQ(pool(Class::transactional, "company.example"), "company");
    EXPECT_EQ(pool(Class::transactional, "news.company.example"), "company");
    EXPECT_EQ(pool(Class::transactional, "xcompany.example"), "");
    EXPECT_EQ(pool(Class::transactional, "shop.example"), "");
    EXPECT_FALSE(pools.several(Class::bulk, "shop.example"));
    EXPECT_TRUE(pools.several(Class::transactional, "company.example"));
    auto k = key("mail.example", 3, "company.example");
    for (auto const* const one : pools.preference(k, {}))
        EXPECT_NE(one->name, "b");
    EXPECT_EQ(pools.preference(k, {}).size(), 2U);
}

TEST(SourcePools, RecipientsOfOneMessageAtOneDestinationGoOutTogether) {
    auto const pools =
        SourcePools::from(relay_with({source("192.0.2.1", "a"), source("192.0.2.2", "b")}));
    std::vector<Work> works(40);
    for (std::size_t i = 0; i < works.size(); ++i) {
        works[i].destination = i % 2 == 0 ? "one.example" : "two.example";
        works[i].recipient = "r" + std::to_string(i) + "@" + works[i].destination;
        works[i].sender_domain = "shop.example";
    }
    auto letters = works;
    assign_slots(works, pools);
    for (std::size_t i = 2; i < works.size(); ++i)
        EXPECT_EQ(works[i].slot, works[i - 2].slot);
    for (auto& work : letters)
        work.klass = Class::bulk;
    assign_slots(letters, pools);
    std::set<unsigned> used;
    for (auto const& work : letters) {
        EXPECT_EQ(work.slot, slot_of("shop.example", work.recipient));
        used.insert(work.slot);
    }
    EXPECT_GT(used.size(), 8U);
    // Without a choice there is nothing to tell apart.
    auto const one = SourcePools::from(relay_with({source("192.0.2.1", "a")}));
    for (auto& work : letters)
        work.slot = 0;
    assign_slots(letters, one);
    for (auto const& work : letters)
        EXPECT_EQ(work.slot, 0U);
}

TEST(SourcePools, AddressesOfOneNetworkKnowEachOther) {
    auto const pools = SourcePools::from(relay_with({source("2001:db8:1:2::1", "a"),
                                                     source("2001:db8:1:2:ffff::9", "b"),
                                                     source("2001:db8:1:3::1", "c"),
                                                     source("192.0.2.1", "d")}));
    EXPECT_EQ(pools.find("a")->network, "2001:db8:1:2::/64");
    EXPECT_EQ(pools.find("a")->network, pools.find("b")->network);
    EXPECT_NE(pools.find("a")->network, pools.find("c")->network);
    EXPECT_EQ(pools.find("d")->network, "");
}

}  // namespace
}  // namespace millrace::relay
