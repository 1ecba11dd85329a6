#pragma once

#include <array>

#include "common/net/stream.hpp"
#include "common/virtual/network.hpp"

namespace millrace::virtual_ {

/// One end of a connection, as its kernel knows it.
struct Side {
    Machine* machine = nullptr;
    Endpoint local;
    std::string inbox;          ///< arrived and not read
    std::size_t under_way = 0;  ///< written by the other side and not read here
    Time last_arrival{};        ///< nothing overtakes
    bool closed = false;        ///< by its own program
    bool finished = false;      ///< the peer's end of stream has arrived
    bool clean = false;         ///< … with a close_notify before it
    bool broken = false;        ///< a reset has arrived
    bool tls = false;
    std::optional<TlsInfo> tls_info;
    std::optional<Failure> failed;  ///< latched: what every further call says
    Time deadline = never;
    std::optional<Simulation::TimerId> alarm;  ///< set while somebody waits
    Machine::Ticket reader = 0;                ///< zero: nobody waits
    Machine::Ticket writer = 0;
    std::uint64_t written = 0;  ///< bytes handed to write(), in all
    std::uint64_t read = 0;     ///< bytes its program has read, in all
};

/// Two ends and the wire between them.
struct Connection : std::enable_shared_from_this<Connection> {
    Connection(VirtualNetwork& owner, Conditions conditions) : network(owner), wire(conditions) {}

    VirtualNetwork& network;
    Conditions wire;
    std::uint64_t id = 0;
    std::array<Side, 2> sides;  ///< 0 connected, 1 accepted
    std::optional<Certificate> certificate;
    bool announced = false;  ///< on_opened has been called
    bool trickles = false;
    bool stalled = false;  ///< nothing arrives any more, in either direction

    Side& side(unsigned which) { return sides[which]; }
    Side& other(unsigned which) { return sides[1 - which]; }

    /// Puts bytes on the wire; faults strike here.
    void send(unsigned from, std::string bytes);
    void send_end(unsigned from, bool clean);
    void send_reset(unsigned from);
    void close(unsigned which, bool abrupt);
    /// Latches the failure, closes, and says it again.
    Failure fail(unsigned which, Fault fault, std::string detail);
    /// Wakes whoever waits on that side when its deadline comes.
    void watch(unsigned which);
    ConnectionFact fact() const { return {id, sides[0].local, sides[1].local}; }

  private:
    void arrive(unsigned to, Simulation::Action what);
    static void wake(Side& side);
};

/// A Stream on one side of a Connection.
class VirtualStream final : public Stream {
  public:
    VirtualStream(std::shared_ptr<Connection> connection, unsigned side)
        : connection_(std::move(connection)), side_(side) {}
    ~VirtualStream() override { close(); }

    void expires_at(Time t) override;
    Task<Result<void>> readable() override;
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override;
    Task<Result<void>> write(std::string_view bytes) override;
    Task<Result<void>> start_tls_client(TlsClient options) override;
    Task<Result<void>> start_tls_server() override;
    std::optional<TlsInfo> tls() const override { return connection_->side(side_).tls_info; }
    Endpoint local() const override { return connection_->sides[side_].local; }
    Endpoint peer() const override { return connection_->sides[1 - side_].local; }
    void close() override { connection_->close(side_, false); }

    const std::shared_ptr<Connection>& connection() const { return connection_; }
    unsigned side() const { return side_; }

  private:
    std::shared_ptr<Connection> connection_;
    unsigned side_;
};

}  // namespace millrace::virtual_
