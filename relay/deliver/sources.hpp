#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/config/settings.hpp"
#include "common/net/endpoint.hpp"
#include "relay/schedule/source_pools.hpp"

namespace millrace::relay {

struct Route;

/// An address we send from.
struct SendingSource {
    std::optional<Address> address;  ///< none: the system's choice
    std::string hostname;            ///< for EHLO; empty: the relay's own name
    bool operator==(const SendingSource&) const = default;
};

/// The addresses we send from. Without any, the system chooses one for every target, as it does for
/// targets on loopback where none of ours is there: those are reached from there only. Pure.
class Sources {
  public:
    /// `settings` is complete: all of them are addresses.
    static Sources from(const config::Relay& settings);
    /// Those of one source: one, or one of each family. An unknown name, or the empty one: all.
    Sources of(const std::string& name) const;
    /// Nothing leaves from this one for the time being.
    void leave_out(const Address& address);

    /// Whether a target may be tried at all: its family has a source, or there are none.
    bool reach(const Address& target) const;
    /// From where, and under which name.
    SendingSource towards(const Address& target) const;
    /// None configured: then whether IPv6 is used is said by relay.delivery.ipv6.
    bool none() const { return !configured_; }

  private:
    struct Entry {
        std::string name;
        Address address;
        std::string hostname;
    };
    const Entry* find(const Address& target) const;

    std::vector<Entry> all_;
    bool configured_ = false;
};

/// How the servers of a route are reached.
Families families_of(const Route& route);

}  // namespace millrace::relay
