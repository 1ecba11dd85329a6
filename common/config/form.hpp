#pragma once

#include "common/config/setting.hpp"

/// The forms that texts in a configuration file may have.
namespace millrace::config::form {

Form any();
Form host_name();  ///< `mail.example.com`
Form host_or_address();
Form domain_pattern();  ///< `example.com`, `.example.com`, `*`
Form address();         ///< an IP address
Form name_server();     ///< `ip`, `ip:port`, `[ip6]:port`
Form absolute_path();
Form mail_log();       ///< `syslog`, `syslog:` and a socket, or an absolute path
Form socket_path();    ///< an absolute path that fits into a socket address
Form milter_socket();  ///< `unix:/path`, `inet:port@host`, `inet6:port@host`
Form mailbox();        ///< `postmaster@example.com`
Form charset();
Form mailer();  ///< a transport of Postfix, a mailer of Sendmail
Form label();   ///< a name of our own for something: letters, digits, `.`, `-`, `_`, `:`

}  // namespace millrace::config::form
