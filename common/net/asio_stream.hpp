#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "common/net/clock.hpp"
#include "common/net/stream.hpp"
#include "common/net/tls_session.hpp"

namespace millrace {

/// Why a socket operation ended, in the words of Stream.
Failure socket_failure(const boost::system::error_code& error);

/// A Stream over a connected socket. TLS is ours over memory buffers, because asio::ssl::stream
/// keeps 72 KiB per idle connection.
class AsioStream final : public Stream {
  public:
    /// clock and tls outlive the stream.
    AsioStream(asio::ip::tcp::socket socket, const Clock& clock, const TlsContext& tls);
    ~AsioStream() override;

    void expires_at(Time t) override;
    Task<Result<void>> readable() override;
    Task<Result<std::size_t>> read_some(std::span<char> buffer) override;
    Task<Result<void>> write(std::string_view bytes) override;
    Task<Result<void>> start_tls_client(TlsClient options) override;
    Task<Result<void>> start_tls_server() override;
    std::optional<TlsInfo> tls() const override;
    Endpoint local() const override;
    Endpoint peer() const override;
    void close() override;

    struct Core;  ///< shared with the operations, which may outlive the stream by one step

  private:
    std::shared_ptr<Core> core_;
};

}  // namespace millrace
