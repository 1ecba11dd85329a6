#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "common/net/network.hpp"
#include "common/net/random.hpp"
#include "common/virtual/machine.hpp"

namespace millrace::virtual_ {

struct Connection;
class Plug;

/// What the way to an address does to connections. Chances are in [0, 1].
struct Conditions {
    Duration latency_least = std::chrono::milliseconds(5);  ///< one way
    Duration latency_most = std::chrono::milliseconds(40);
    double refuse = 0;   ///< a connection is refused
    double ignore = 0;   ///< an attempt is never answered
    double cut = 0;      ///< a write breaks the connection; its bytes arrive, or do not
    double stall = 0;    ///< a write is the last that gets through: silence from then on
    double trickle = 0;  ///< a connection whose reads return 1 to 3 bytes each
    double accept = 0;   ///< accept() fails for want of descriptors
};

/// The certificate of a virtual listener.
struct Certificate {
    std::vector<std::string> names;
    bool trusted = true;            ///< a client that verifies accepts the issuer
    bool breaks_handshake = false;  ///< the handshake fails half-way
};

/// A connection as one sees it from outside both programs.
struct ConnectionFact {
    std::uint64_t id = 0;
    Endpoint from;
    Endpoint to;
};

/// Every wire of a simulation: pipes with latency between the machines that are plugged in.
/// Thread: the simulation's.
class VirtualNetwork {
  public:
    VirtualNetwork(Simulation& simulation, Random& random);
    ~VirtualNetwork();

    /// The network as this machine sees it. It answers to `own` (and to loopback for itself) from
    /// now on, instead of whoever did before; its first address of a family is the default source.
    Network& plug(Machine& machine, std::vector<Address> own);
    /// After Machine::crash(): its connections end (`abrupt`: without a word, as after a power
    /// cut), its listeners are gone.
    void crashed(Machine& machine, bool abrupt);

    /// For all addresses without conditions of their own.
    void conditions(Conditions all) { all_ = all; }
    void conditions(const Address& to, Conditions special) { special_[to] = special; }
    const Conditions& conditions_of(const Address& to) const;
    /// The listener at this endpoint offers TLS.
    void certificate(const Endpoint& at, Certificate certificate);

    /// Told of every established connection, and of its end on the connecting side.
    std::function<void(const ConnectionFact&)> on_opened;
    std::function<void(const ConnectionFact&)> on_closed;

  private:
    friend struct Connection;
    friend class Plug;
    Duration latency(const Conditions& conditions);
    bool chance(double p) { return p > 0 && random_.unit() < p; }
    Plug* owner_of(const Address& address, Plug& asking);

    Simulation& simulation_;
    Random& random_;
    Conditions all_;
    std::map<Address, Conditions> special_;
    std::map<Endpoint, Certificate> certificates_;
    std::vector<std::unique_ptr<Plug>> plugs_;
    std::vector<std::weak_ptr<Connection>> connections_;  ///< to end them in a crash
    std::uint64_t next_connection_ = 1;
};

/// How much of what this side wrote the program at the other end has read. Checkers use it to tell
/// whether a reply was seen. The stream must be one of a VirtualNetwork.
class DeliveryProof {
  public:
    explicit DeliveryProof(const Stream& stream);
    std::uint64_t written() const;
    std::uint64_t read_by_peer() const;
    std::uint64_t connection() const;

  private:
    std::shared_ptr<Connection> connection_;
    unsigned side_;
};

}  // namespace millrace::virtual_
