#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.hpp"

namespace millrace::milter {

/// Where an MTA reaches us, as `milter.socket` says it.
struct SocketName {
    enum class Kind { unix_path, inet, inet6 };
    Kind kind = Kind::unix_path;
    std::string path;  ///< of a unix socket
    std::string host;  ///< of the others
    std::uint16_t port = 0;

    /// `unix:/path`, `inet:PORT@HOST`, `inet6:PORT@HOST`; without a host it is loopback.
    /// Failure (invalid).
    static Result<SocketName> parse(std::string_view text);
    std::string text() const;
    bool operator==(const SocketName&) const = default;
};

/// A listening socket. The path of a unix socket that we made goes away with it, unless another
/// process has put its own there.
class Listener {
  public:
    /// A unix socket appears at its path when it already listens (0660, group of the directory if
    /// that is setgid); a dead one is replaced. Failure (unavailable: in use; invalid: everything
    /// the operator has to change first), with what to do.
    static Result<Listener> open(const SocketName& name);
    /// The socket systemd hands over (LISTEN_FDS, sd_listen_fds(3)), if it does. The first counts.
    static std::optional<Listener> inherited();

    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;
    ~Listener();
    int descriptor() const { return descriptor_; }

  private:
    Listener(int descriptor, std::string path);
    void close();

    int descriptor_;
    std::string path_;  ///< to be removed; empty: none
    std::uint64_t inode_ = 0;
};

}  // namespace millrace::milter
