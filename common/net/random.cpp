#include "common/net/random.hpp"

#include <bit>
#include <cerrno>
#include <sys/random.h>

#include "common/base/check.hpp"

namespace millrace {

std::uint64_t Random::below(std::uint64_t bound) {
    MILLRACE_CHECK(bound > 0);
    // Values under 2^64 mod bound would make the small results likelier.
    const std::uint64_t skip = (0 - bound) % bound;
    for (;;) {
        const std::uint64_t value = next();
        if (value >= skip) return value % bound;
    }
}

double Random::unit() {
    return static_cast<double>(next() >> 11) * 0x1.0p-53;
}

SeededRandom::SeededRandom(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {  // splitmix64: never all zero
        seed += 0x9e3779b97f4a7c15;
        std::uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        word = z ^ (z >> 31);
    }
}

std::uint64_t SeededRandom::next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t seed_from_system() {
    std::uint64_t seed = 0;
    ssize_t got = 0;
    do {
        got = ::getrandom(&seed, sizeof seed, 0);
    } while (got < 0 && errno == EINTR);
    MILLRACE_CHECK(got == sizeof seed);
    return seed;
}

}  // namespace millrace
