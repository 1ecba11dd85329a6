#include "relay/inherited.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace millrace::relay {
namespace {

constexpr int first_descriptor = 3;
constexpr int descriptors_max = 64;

}  // namespace

std::vector<int> inherited_sockets() {
    std::vector<int> out;
    auto const* const count = std::getenv("LISTEN_FDS");
    auto const* const pid = std::getenv("LISTEN_PID");
    if (count != nullptr && pid != nullptr && std::atol(pid) == getpid()) {
        auto const n = std::atoi(count);
        for (int fd = first_descriptor;
             fd < first_descriptor + n && fd < first_descriptor + descriptors_max;
             ++fd) {
            fcntl(fd, F_SETFD, FD_CLOEXEC);
            out.push_back(fd);
        }
    }
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDNAMES");
    return out;
}

void notify_manager(const char* state) {
    auto const* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    auto const length = std::strlen(path);
    if (length >= sizeof to.sun_path) {
        return;
    }
    std::memcpy(to.sun_path, path, length);
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    int const fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    [[maybe_unused]] auto const sent =
        ::sendto(fd,
                 state,
                 std::strlen(state),
                 MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&to),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
    ::close(fd);
}

}  // namespace millrace::relay
