#pragma once

#include <string>

namespace millrace {

/// OpenSSL's oldest pending error in words, and an empty error queue.
std::string tls_error();

}  // namespace millrace
