#include "common/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/base/check.hpp"
#include "common/net/tls_error.hpp"

namespace millrace {
namespace {

TlsContext::Handle make_context(const SSL_METHOD* method) {
    SSL_CTX* const raw = SSL_CTX_new(method);
    MILLRACE_CHECK(raw != nullptr);
    TlsContext::Handle context(raw, [](SSL_CTX* c) { SSL_CTX_free(c); });
    MILLRACE_CHECK(SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1);
    SSL_CTX_set_options(
        raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Idle connections are what we have most of: give their 34 KiB of record buffers back.
    SSL_CTX_set_mode(raw,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                         SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(raw, 0);
    return context;
}

}  // namespace

TlsContext::TlsContext() : client_(make_context(TLS_client_method())) {
    SSL_CTX_set_default_verify_paths(client_.get());
    ERR_clear_error();  // a machine without any authorities can still encrypt
}

Result<void> TlsContext::load(const Files& files) {
    ERR_clear_error();
    Handle client = make_context(TLS_client_method());
    if (files.authorities.empty()) {
        SSL_CTX_set_default_verify_paths(client.get());
        ERR_clear_error();
    } else if (SSL_CTX_load_verify_file(client.get(), files.authorities.c_str()) != 1) {
        return failure(Fault::invalid, files.authorities + ": " + tls_error());
    }
    Handle server;
    if (!files.certificate.empty()) {
        server = make_context(TLS_server_method());
        const std::string& key = files.key.empty() ? files.certificate : files.key;
        if (SSL_CTX_use_certificate_chain_file(server.get(), files.certificate.c_str()) != 1) {
            return failure(Fault::invalid, files.certificate + ": " + tls_error());
        }
        if (SSL_CTX_use_PrivateKey_file(server.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
            return failure(Fault::invalid, key + ": " + tls_error());
        }
        if (SSL_CTX_check_private_key(server.get()) != 1) {
            return failure(Fault::invalid, key + " is not the key of " + files.certificate);
        }
        SSL_CTX_set_max_early_data(server.get(), 0);
        // Resumption across our own reloads is worth less than keys that never rotate.
        SSL_CTX_set_session_cache_mode(server.get(), SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(server.get(), 0);
        SSL_CTX_set_options(server.get(), SSL_OP_NO_TICKET);
    }
    const std::scoped_lock lock(mutex_);
    server_ = std::move(server);
    client_ = std::move(client);
    return {};
}

TlsContext::Handle TlsContext::server() const {
    const std::scoped_lock lock(mutex_);
    return server_;
}

TlsContext::Handle TlsContext::client() const {
    const std::scoped_lock lock(mutex_);
    return client_;
}

}  // namespace millrace
