// Goal: a seed gives the same numbers on every machine, and the distributions are what they say.

#include "common/net/random.hpp"

#include <array>
#include <set>

#include <gtest/gtest.h>

namespace millrace {
namespace {

/// A generator whose numbers a test chooses.
class Chosen final : public Random {
  public:
    explicit Chosen(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
    std::uint64_t next() override { return numbers_.at(at_++); }

  private:
    std::vector<std::uint64_t> numbers_;
    std::size_t at_ = 0;
};

TEST(SeededRandom, IsTheReferenceGenerator) {
    // From the reference implementation: xoshiro256** 1.0 with the state made by splitmix64.
    SeededRandom zero(0);
    EXPECT_EQ(zero.next(), 0x99ec5f36cb75f2b4U);
    EXPECT_EQ(zero.next(), 0xbf6e1f784956452aU);
    EXPECT_EQ(zero.next(), 0x1a5f849d4933e6e0U);
    EXPECT_EQ(zero.next(), 0x6aa594f1262d2d2cU);
}

TEST(Random, BelowIsUniformAndDropsTheExcess) {
    // 2^64 mod 3 is 1: exactly the value 0 must be thrown away.
    Chosen chosen({0, 1, 2, 3});
    EXPECT_EQ(chosen.below(3), 1U);
    EXPECT_EQ(chosen.below(3), 2U);
    EXPECT_EQ(chosen.below(3), 0U);
    SeededRandom random(1);
    std::array<unsigned, 7> seen{};
    for (int i = 0; i < 70'000; ++i)
        ++seen.at(random.below(7));
    for (const unsigned n : seen) {
        EXPECT_GT(n, 9'600U);
        EXPECT_LT(n, 10'400U);
    }
}

TEST(Random, UnitStaysBelowOne) {
    Chosen chosen({~std::uint64_t{0}, 0});
    EXPECT_LT(chosen.unit(), 1.0);
    EXPECT_EQ(chosen.unit(), 0.0);
}

TEST(Random, TheSystemGivesDifferentSeeds) {
    std::set<std::uint64_t> seeds;
    for (int i = 0; i < 8; ++i)
        seeds.insert(seed_from_system());
    EXPECT_EQ(seeds.size(), 8U);
}

}  // namespace
}  // namespace millrace
