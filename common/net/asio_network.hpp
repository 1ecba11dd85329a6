#pragma once

#include <map>

#include <boost/asio/any_io_executor.hpp>

#include "common/net/clock.hpp"
#include "common/net/network.hpp"
#include "common/net/tls_context.hpp"

namespace millrace {

/// The machine's network.
class AsioNetwork final : public Network {
  public:
    /// tls: for connections we make, and for listeners without one of their own. Clock and contexts
    /// outlive the network and all its streams and listeners.
    AsioNetwork(asio::any_io_executor executor, const Clock& clock, const TlsContext& tls);

    /// The certificate of the listener at this endpoint. Before listen() or adopt().
    void certificate(const Endpoint& at, const TlsContext& tls) { certificates_[at] = &tls; }

    Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to,
                                                  std::optional<Address> source,
                                                  Time deadline) override;
    /// Port 0: the system chooses, Listener::local() tells.
    Result<std::unique_ptr<Listener>> listen(Endpoint at) override;

    /// Takes over a listening socket from a supervisor (systemd's LISTEN_FDS), which keeps clients
    /// waiting instead of refused while we restart. Owns fd from now on, unless it fails.
    /// Failure: invalid (not a listening TCP socket).
    Result<std::unique_ptr<Listener>> adopt(int fd);

  private:
    const TlsContext& tls_of(const Endpoint& at) const;

    asio::any_io_executor executor_;
    const Clock& clock_;
    const TlsContext& tls_;
    std::map<Endpoint, const TlsContext*> certificates_;
};

}  // namespace millrace
