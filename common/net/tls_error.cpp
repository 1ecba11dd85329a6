#include "common/net/tls_error.hpp"

#include <cstring>

#include <openssl/err.h>

namespace millrace {

std::string tls_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "the peer closed during the handshake";
    // Reason codes of the C library (no such file) have no text of their own in OpenSSL 3.
    if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
    const char* const reason = ERR_reason_error_string(code);
    return reason == nullptr ? "OpenSSL error " + std::to_string(code) : reason;
}

}  // namespace millrace
