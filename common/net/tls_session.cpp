#include "common/net/tls_session.hpp"

#include <algorithm>
#include <climits>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "common/base/check.hpp"
#include "common/net/endpoint.hpp"
#include "common/net/tls_error.hpp"

namespace millrace {

void TlsSession::Free::operator()(ssl_st* ssl) const {
    SSL_free(ssl);
}

TlsSession::TlsSession(ssl_st* ssl) : ssl_(ssl) {
    MILLRACE_CHECK(ssl != nullptr);
    BIO* const in = BIO_new(BIO_s_mem());
    BIO* const out = BIO_new(BIO_s_mem());
    MILLRACE_CHECK(in != nullptr && out != nullptr);
    // An empty buffer means "more to come"; the end of the stream is the socket's to tell.
    BIO_set_mem_eof_return(in, -1);
    BIO_set_mem_eof_return(out, -1);
    SSL_set_bio(ssl, in, out);
}

Result<TlsSession> TlsSession::client(TlsContext::Handle context, const TlsClient& options) {
    TlsSession session(SSL_new(context.get()));
    session.client_ = true;
    SSL* const ssl = session.ssl_.get();
    SSL_set_connect_state(ssl);
    // Without verify the result is only noted (TlsInfo::verified): an opportunistic client sends
    // to a self-signed certificate rather than in the clear.
    SSL_set_verify(ssl, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    // An old receiver's short keys are still better than no encryption; where the operator asks for
    // verification they are not.
    SSL_set_security_level(ssl, options.verify ? 2 : 1);
    ERR_clear_error();
    boost::system::error_code no_address;
    boost::asio::ip::make_address(options.server_name, no_address);
    const char* const name = options.server_name.c_str();
    bool ok = true;
    if (options.server_name.empty()) {
        ok = !options.verify;
    } else if (no_address) {
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
    } else {  // RFC 6066 §3: an address is no SNI
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    }
    if (!ok) {
        ERR_clear_error();
        return failure(Fault::tls,
                       "`" + options.server_name + "` is no name that a certificate can have");
    }
    return session;
}

TlsSession TlsSession::server(TlsContext::Handle context) {
    TlsSession session(SSL_new(context.get()));
    SSL_set_accept_state(session.ssl_.get());
    return session;
}

TlsSession::Step TlsSession::outcome(int result) {
    switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:  // a memory BIO takes everything
            return Step::need_input;
        case SSL_ERROR_ZERO_RETURN:
            return Step::ended;
        default:
            break;
    }
    error_ = tls_error();
    if (const long verify = SSL_get_verify_result(ssl_.get());
        client_ && verify != X509_V_OK && (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER)) {
        error_ += std::string(": ") + X509_verify_cert_error_string(verify);
    }
    return Step::failed;
}

TlsSession::Step TlsSession::handshake() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    return result == 1 ? Step::done : outcome(result);
}

TlsSession::Step TlsSession::read(std::span<char> buffer, std::size_t& got) {
    got = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &got);
    return result == 1 ? Step::done : outcome(result);
}

bool TlsSession::write(std::string_view bytes) {
    while (!bytes.empty()) {
        std::size_t taken = 0;
        ERR_clear_error();
        const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &taken);
        if (result != 1) {
            if (outcome(result) != Step::failed) error_ = "the session cannot be written to";
            return false;
        }
        bytes.remove_prefix(taken);
    }
    return true;
}

void TlsSession::finish() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_.get())) SSL_shutdown(ssl_.get());
    ERR_clear_error();
}

void TlsSession::feed(std::string_view ciphertext) {
    BIO* const in = SSL_get_rbio(ssl_.get());
    MILLRACE_CHECK(ciphertext.size() <= INT_MAX);
    const int taken = BIO_write(in, ciphertext.data(), static_cast<int>(ciphertext.size()));
    MILLRACE_CHECK(taken == static_cast<int>(ciphertext.size()));
}

bool TlsSession::pending() const {
    return SSL_has_pending(ssl_.get()) == 1 || BIO_ctrl_pending(SSL_get_rbio(ssl_.get())) > 0;
}

std::string TlsSession::output() {
    BIO* const out = SSL_get_wbio(ssl_.get());
    std::string bytes(BIO_ctrl_pending(out), '\0');
    if (!bytes.empty()) {
        const int got = BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
        MILLRACE_CHECK(got == static_cast<int>(bytes.size()));
    }
    return bytes;
}

TlsInfo TlsSession::info() const {
    SSL* const ssl = ssl_.get();
    TlsInfo info{SSL_get_version(ssl), SSL_get_cipher_name(ssl), false};
    info.verified = client_ && SSL_get0_peer_certificate(ssl) != nullptr &&
                    SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peername(ssl) != nullptr;
    return info;
}

}  // namespace millrace
