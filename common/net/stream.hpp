#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/base/time.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/task.hpp"

namespace millrace {

/// What a TLS handshake agreed on, for Received lines and logs.
struct TlsInfo {
    std::string protocol;   ///< `TLSv1.3`
    std::string cipher;     ///< `TLS_AES_256_GCM_SHA384`
    bool verified = false;  ///< the peer's certificate was checked and matched the name
};

/// How a client wants its handshake.
struct TlsClient {
    std::string server_name;  ///< SNI, and the name to check when verify is set
    bool verify = false;      ///< require a trusted certificate for server_name
};

/// One TCP connection, in clear or, after start_tls, in TLS.
///
/// Deadline:  expires_at(t) bounds every operation, one that is waiting already included, until it
///            is called again; an operation that is still waiting then fails with Fault::timed_out
///            and the stream is closed.
/// Failure:   closed (orderly end), reset, timed_out, tls, cancelled. After any failure the stream
/// is
///            closed and every further call fails at once.
/// Cancelled: close() from the owner's thread ends waiting operations with Fault::cancelled.
///            Coroutine cancellation is not used on streams.
/// Thread:    the owner's; at most one read and one write at a time.
class Stream {
  public:
    virtual ~Stream() = default;

    virtual void expires_at(Time t) = 0;

    /// Returns when read_some() has something to read, or would fail; sometimes early. Nothing is
    /// held meanwhile: a connection that rests needs no buffer.
    virtual Task<Result<void>> readable() = 0;
    /// At least one byte, at most buffer.size(). An orderly end is Fault::closed, never 0. A TLS
    /// stream that ends without close_notify is Fault::reset.
    virtual Task<Result<std::size_t>> read_some(std::span<char> buffer) = 0;
    /// All of it, in as few segments as the system allows (TCP_NODELAY is set).
    /// The bytes must stay valid until the task completes.
    virtual Task<Result<void>> write(std::string_view bytes) = 0;

    /// The caller must have thrown away, or refused, bytes read before the handshake (RFC 3207 §6).
    virtual Task<Result<void>> start_tls_client(TlsClient options) = 0;
    /// Fault::tls when no certificate is configured for this listener.
    virtual Task<Result<void>> start_tls_server() = 0;
    /// Empty before a completed handshake.
    virtual std::optional<TlsInfo> tls() const = 0;

    virtual Endpoint local() const = 0;
    virtual Endpoint peer() const = 0;
    /// Immediate; in TLS a close_notify is attempted without waiting. Safe to call twice.
    virtual void close() = 0;
};

}  // namespace millrace
