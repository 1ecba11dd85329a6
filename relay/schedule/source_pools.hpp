#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config/settings.hpp"
#include "relay/schedule/warm_up.hpp"
#include "relay/spool/stream.hpp"

namespace millrace::relay {

/// Over which address families a receiving server can be reached, by the route to it.
struct Families {
    bool v4 = true, v6 = true;
    /// It is on this machine: reached from loopback, whatever the source.
    bool loopback = false;
    bool operator==(const Families&) const = default;
};

/// One of our sources, as far as choosing is concerned.
struct OwnSource {
    std::string name;
    std::vector<std::string> addresses;  ///< one, or one of each family; as people write them
    unsigned weight = 1;
    bool v4 = false, v6 = false;
    /// Of its IPv6 address, the first 64 bits: who counts reputation by network counts this. Empty:
    /// it has none.
    std::string network;
    WarmUpPlan warm_up;
    std::vector<std::string> warm_up_domains;

    bool reaches(const Families& there) const {
        return there.loopback || (v4 && there.v4) || (v6 && there.v6);
    }
    bool warms() const { return warm_up.on; }
    bool operator==(const OwnSource&) const = default;
};

/// Which of our sources a stream leaves from: a function of what never changes about its mail (the
/// destination, the sender's domain, the slot), so that every attempt for a message comes from the
/// same one. Pure.
class SourcePools {
  public:
    SourcePools() = default;
    static SourcePools from(const config::Relay& settings);

    /// No sources: the system chooses the address, and there is nothing to tell apart.
    bool empty() const { return sources_.empty(); }
    const std::vector<OwnSource>& sources() const { return sources_; }
    const OwnSource* find(std::string_view name) const;

    /// Whose mail the stream is; empty: no pool's, it may leave from all sources.
    std::string_view pool_of(const StreamKey& stream) const;
    /// The sources of its pool that reach the server, best first. The first is by weight: over the
    /// slots of a destination each source has its part to within one. Behind it come the others,
    /// those that are not warmed up before those that are, in an order that depends on the stream
    /// alone, so that one source more or less moves nobody else's mail.
    std::vector<const OwnSource*> preference(const StreamKey& stream, const Families& there) const;
    /// Whether mail of that class and sender has a choice, and so is to be told apart by slots.
    bool several(Class klass, std::string_view sender_domain) const;

  private:
    struct Pool {
        std::string name;
        std::vector<std::size_t> sources;
        bool bulk = true, transactional = true;
        std::vector<std::string> sender_domains;
        bool takes(Class klass, std::string_view sender_domain) const;
        bool operator==(const Pool&) const = default;
    };
    /// Null: none fits. Accounts with pools of their own will be asked here first.
    const Pool* find_pool(const StreamKey& stream) const;

    std::vector<OwnSource> sources_;
    std::vector<Pool> pools_;

  public:
    bool operator==(const SourcePools&) const = default;
};

/// The slot for mail of this sender's domain to this recipient: the same for all attempts and for
/// later mail of the two, so that a greylisting server meets the three it has met before.
std::uint8_t slot_of(std::string_view sender_domain, std::string_view recipient);
/// Gives the works of new mail their slots, where their mail has a choice of sources. Recipients of
/// one message at one destination share a slot: they go out in one transaction.
void assign_slots(std::vector<Work>& works, const SourcePools& pools);

}  // namespace millrace::relay
