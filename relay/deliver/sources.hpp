#pragma once

#include <optional>
#include <string>

#include "common/config/settings.hpp"
#include "common/net/endpoint.hpp"

namespace millrace::relay {

/// An address we send from.
struct SendingSource {
    std::optional<Address> address;  ///< none: the system's choice
    std::string hostname;            ///< for EHLO; empty: the relay's own name
    bool operator==(const SendingSource&) const = default;
};

/// The addresses we send from, by address family. Without any, the system chooses one for every
/// target, as it always does for targets on loopback: those are reached from there only. Pure.
class Sources {
  public:
    /// `settings` is complete: at most one source of each family, all of them addresses.
    static Sources from(const config::Relay& settings);

    /// Whether a target may be tried at all: its family has a source, or there are none.
    bool reach(const Address& target) const;
    /// From where, and under which name.
    SendingSource towards(const Address& target) const;
    /// None configured: then whether IPv6 is used is said by relay.delivery.ipv6.
    bool none() const { return !v4_ && !v6_; }

  private:
    std::optional<SendingSource> v4_, v6_;
};

}  // namespace millrace::relay
