#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/rehearse/belief.hpp"
#include "relay/rehearse/rehearsal.hpp"
#include "relay/spool/event.hpp"

namespace millrace::relay {

/// The traffic of a past time, rebuilt from its events: what came when and for whom, and what kind
/// of receivers they must have been. Pure; memory grows with the recipients, up to recipients_most.
class Traffic {
  public:
    static constexpr std::size_t recipients_most = 1'000'000;

    /// One event, in the journal's order. Events of recipients beyond the limit are only counted.
    void take(const Event& event);

    std::size_t recipients() const { return recipients_.size(); }
    std::uint64_t left_out() const { return left_out_; }
    Time begin() const { return begin_; }
    Time end() const { return end_; }
    bool empty() const { return recipients_.empty(); }

    /// Destinations, receivers and mail, for a rehearsal under any settings. `then`: the limits in
    /// force when the events were written; a pace that those explain says nothing of the receiver.
    /// `learned`: what the relay knows of providers, by name; it wins over what the events suggest.
    RehearsalSetup setup(const RuleBook& book,
                         const ScheduleLimits& then,
                         const std::map<std::string, Belief>& learned) const;

  private:
    struct Recipient {
        std::uint32_t destination = 0, stream = 0;
        Time arrived{};
        Time tried{};     ///< the first attempt that left an event
        Time deferred{};  ///< … when that was a deferral that looks like greylisting
        Time done{};
        bool seen = false;  ///< its arrival was in the events
        bool delivered = false;
    };
    struct Destination {
        std::string name, site, provider;
        Time alive{};            ///< it answered last
        std::vector<Time> lost;  ///< attempts that never reached it, until the next delivery
        std::vector<std::pair<Time, Time>> outages;
    };
    struct Key {
        std::uint64_t message;
        std::size_t recipient;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const noexcept {
            return key.message * 1'000'003U ^ key.recipient;
        }
    };

    std::uint32_t destination_of(const Event& event);
    std::uint32_t stream_of(const Event& event, const std::string& destination);
    static HiddenLimits model(const std::vector<const Recipient*>& mail, const Ceilings& then);
    struct Measured {
        double seconds = 0.2;
        std::size_t samples = 0;
    };
    static Measured duration_of(std::vector<const Recipient*> mail);
    static double busy_pace(const std::vector<const Recipient*>& mail);

    std::vector<Recipient> recipients_;
    std::unordered_map<Key, std::uint32_t, KeyHash> index_;
    std::vector<Destination> destinations_;
    std::unordered_map<std::string, std::uint32_t> by_destination_;
    std::vector<StreamKey> streams_;
    std::unordered_map<std::string, std::uint32_t> by_stream_;
    std::uint64_t left_out_ = 0;
    Time begin_ = never, end_{};
};

}  // namespace millrace::relay
