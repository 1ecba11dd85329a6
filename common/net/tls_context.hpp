#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "common/base/result.hpp"

// OpenSSL's type, so that its headers stay in three .cpp files.
struct ssl_ctx_st;

namespace millrace {

/// What TLS needs on this machine: our certificate for those who connect to us, the trusted
/// issuers for those we connect to. TLS 1.2 or later, no renegotiation, no early data.
/// Thread: any; a handshake in progress keeps what it began with.
class TlsContext {
  public:
    using Handle = std::shared_ptr<ssl_ctx_st>;

    struct Files {
        std::string certificate;  ///< PEM, leaf first; empty: no TLS for those who connect to us
        std::string key;          ///< PEM, unencrypted; empty: in the certificate's file
        std::string authorities;  ///< PEM bundle; empty: the system's
    };

    /// Without a certificate until load() succeeds; with the system's authorities.
    TlsContext();

    /// Takes effect for new handshakes. Failure: invalid, with the file and what is wrong with it
    /// (unreadable, key and certificate do not belong together, …); what was in force stays.
    Result<void> load(const Files& files);

    /// Empty without a certificate.
    Handle server() const;
    Handle client() const;

  private:
    mutable std::mutex mutex_;
    Handle server_;
    Handle client_;
};

}  // namespace millrace
