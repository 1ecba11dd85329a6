#pragma once

#include <string>

#include "milter/socket.hpp"

namespace millrace::milter {

/// The lines that attach Postfix and Sendmail to this socket, ready to be copied into main.cf and
/// sendmail.mc, with what the operator has to know about each. queue_directory: Postfix's.
std::string attach_lines(const SocketName& socket,
                         const std::string& queue_directory = "/var/spool/postfix");

}  // namespace millrace::milter
