#pragma once

#include <cstdint>

namespace millrace {

/// Randomness for jitter, shuffles and tie-breaks; never for secrets. Distributions are our own,
/// because the standard ones differ between libraries and a seed must replay everywhere.
/// Thread: the owner's.
class Random {
  public:
    virtual ~Random() = default;
    virtual std::uint64_t next() = 0;

    /// Uniform in [0, bound). bound > 0.
    std::uint64_t below(std::uint64_t bound);
    /// Uniform in [0, 1).
    double unit();
};

/// xoshiro256**, seeded by splitmix64. The real relay seeds it from the operating system.
class SeededRandom final : public Random {
  public:
    explicit SeededRandom(std::uint64_t seed);
    std::uint64_t next() override;

  private:
    std::uint64_t state_[4];
};

/// 64 bits from getrandom(2).
std::uint64_t seed_from_system();

}  // namespace millrace
