#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.hpp"
#include "common/net/stream.hpp"
#include "common/net/tls_context.hpp"

struct ssl_st;

namespace millrace {

/// TLS without a socket: ciphertext in and out, plaintext out and in. Whoever owns the socket moves
/// the bytes. Not a coroutine, so the same code serves both sides and every test.
/// Thread: the owner's.
class TlsSession {
  public:
    /// Sends server_name as SNI unless it is an address, and compares it with the certificate.
    static Result<TlsSession> client(TlsContext::Handle context, const TlsClient& options);
    static TlsSession server(TlsContext::Handle context);

    enum class Step {
        done,        ///< handshake complete, or bytes read
        need_input,  ///< feed() ciphertext and call again
        ended,       ///< the peer's close_notify
        failed,      ///< error() says why; output() holds the alert for the peer
    };

    Step handshake();
    /// Plaintext into buffer; got > 0 when done.
    Step read(std::span<char> buffer, std::size_t& got);
    /// Encrypts all of it into output(). False: failed.
    bool write(std::string_view bytes);
    /// Puts a close_notify into output().
    void finish();

    void feed(std::string_view ciphertext);
    /// Bytes were fed that no read() has taken yet.
    bool pending() const;
    /// Takes the ciphertext that is to be sent.
    std::string output();

    const std::string& error() const { return error_; }
    TlsInfo info() const;

  private:
    explicit TlsSession(ssl_st* ssl);
    Step outcome(int result);

    struct Free {
        void operator()(ssl_st* ssl) const;
    };
    std::unique_ptr<ssl_st, Free> ssl_;
    std::string error_;
    bool client_ = false;
};

}  // namespace millrace
