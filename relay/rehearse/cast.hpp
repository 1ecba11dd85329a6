#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "relay/rehearse/belief.hpp"
#include "relay/rehearse/standing.hpp"

namespace millrace::relay {

/// Who takes part in a rehearsal of what stands: providers, and behind each the destinations with
/// their mail; small enough to be rehearsed. What is too much of a kind is represented by some of
/// it.
class Cast {
  public:
    struct Stream {
        StreamKey key;
        Time at{};                 ///< due from then on
        std::uint64_t count = 0;   ///< queued
        std::uint64_t played = 0;  ///< rehearsed
    };
    struct Destination {
        std::string name, site;
        std::vector<Stream> streams;
        std::uint64_t count = 0, put_off = 0, held = 0;
        std::uint64_t stands_for = 1;  ///< destinations, itself included
        std::string why;               ///< of a pause
    };
    struct Provider {
        Provider(std::string n, Belief b) : name(std::move(n)), belief(std::move(b)) {}
        std::string name;
        Belief belief;
        std::vector<Destination> destinations;  ///< the largest first
        std::uint64_t count = 0, played = 0;
        Time down_until{};  ///< cannot be reached, as far as we know, until then
    };

    /// most: messages that are rehearsed.
    Cast(const Standing& standing, std::uint64_t most);

    const std::vector<Provider>& providers() const { return providers_; }
    /// Destinations without a way to them, or with nothing but held mail.
    const std::vector<Destination>& idle() const { return idle_; }
    std::uint64_t count() const { return count_; }
    std::uint64_t played() const { return played_; }

  private:
    void gather(const Standing& standing);
    void shorten();
    void scale(std::uint64_t most);

    std::vector<Provider> providers_;
    std::vector<Destination> idle_;
    std::uint64_t count_ = 0, played_ = 0;
};

}  // namespace millrace::relay
