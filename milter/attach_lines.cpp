#include "milter/attach_lines.hpp"

#include <fmt/format.h>

namespace millrace::milter {
namespace {

bool is_below(const std::string& path, const std::string& folder) {
    return path.starts_with(folder + "/");
}

std::string for_postfix(const SocketName& socket, const std::string& queue_directory) {
    switch (socket.kind) {
        case SocketName::Kind::unix_path:
            // Relative to the queue directory: right with and without a chroot.
            return is_below(socket.path, queue_directory)
                       ? "unix:" + socket.path.substr(queue_directory.size() + 1)
                       : "unix:" + socket.path;
        case SocketName::Kind::inet:
            return fmt::format("inet:{}:{}", socket.host, socket.port);
        case SocketName::Kind::inet6:
            break;
    }
    return fmt::format("inet:[{}]:{}", socket.host, socket.port);
}

std::string for_sendmail(const SocketName& socket) {
    return socket.kind == SocketName::Kind::unix_path ? "local:" + socket.path : socket.text();
}

}  // namespace

std::string attach_lines(const SocketName& socket, const std::string& queue_directory) {
    std::string out = fmt::format(
        "# Postfix, /etc/postfix/main.cf (then: postfix reload)\n"
        "smtpd_milters = {{ {0}, connect_timeout=5s, command_timeout=10s, content_timeout=60s, "
        "default_action=tempfail }}\n"
        "non_smtpd_milters = $smtpd_milters\n"
        "milter_protocol = 6\n",
        for_postfix(socket, queue_directory));
    if (socket.kind == SocketName::Kind::unix_path) {
        out += is_below(socket.path, queue_directory)
                   ? "# The path is relative to the queue directory: it holds with and without a "
                     "chroot.\n"
                   : fmt::format(
                         "# Debian's smtpd and cleanup run in a chroot (master.cf, fifth column) "
                         "and see only what is below\n"
                         "# {0}. For them set milter.socket = "
                         "\"unix:{0}/millrace/milter.sock\".\n",
                         queue_directory);
        out += "# The user postfix must be in the group of the socket (mode 0660).\n";
    }
    out += fmt::format(
        "# Put it before a milter that signs (OpenDKIM): the signature must cover the mended "
        "header.\n"
        "\n"
        "# Sendmail, /etc/mail/sendmail.mc (then: make -C /etc/mail && systemctl reload "
        "sendmail)\n"
        "INPUT_MAIL_FILTER(`millrace', `S={}, F=T, T=C:30s;S:10s;R:60s;E:5m')dnl\n",
        for_sendmail(socket));
    return out;
}

}  // namespace millrace::milter
