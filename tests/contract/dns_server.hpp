#pragma once

#include <map>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "common/net/endpoint.hpp"
#include "common/net/task.hpp"
#include "common/virtual/resolver.hpp"

namespace millrace::contract {

/// A DNS server on loopback that answers from the same zones as the virtual resolver, and can
/// misbehave in the ways that servers do. UDP and TCP on one port.
class DnsServer {
  public:
    enum class Manner { servfail, refused, silent, garbage, wrong_id, truncated, no_tcp };

    DnsServer(asio::io_context& loop, virtual_::VirtualZones& zones);
    ~DnsServer();

    Endpoint at() const { return at_; }
    /// For one name; 0 as type: for every type.
    void misbehave(const std::string& name, std::uint16_t type, Manner manner) {
        manners_[{name, type}] = manner;
    }
    /// Questions that arrived for this name, over both protocols.
    unsigned asked(const std::string& name) const;

  private:
    struct Sockets;
    static Task<void> serve_udp(DnsServer& self, std::shared_ptr<Sockets> sockets);
    static Task<void> serve_tcp(DnsServer& self, std::shared_ptr<Sockets> sockets);
    static Task<void> converse(DnsServer& self,
                               std::shared_ptr<Sockets> sockets,
                               asio::ip::tcp::socket socket);
    /// Empty: no answer.
    std::string answer(const std::string& question, bool over_tcp);

    virtual_::VirtualZones& zones_;
    std::shared_ptr<Sockets> sockets_;
    Endpoint at_;
    std::map<std::pair<std::string, std::uint16_t>, Manner> manners_;
    std::map<std::string, unsigned> asked_;
};

}  // namespace millrace::contract
