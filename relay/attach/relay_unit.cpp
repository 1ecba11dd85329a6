#include "relay/attach/relay_unit.hpp"

#include <filesystem>
#include <grp.h>

#include "relay/attach/program.hpp"
#include "relay/attach/record.hpp"

namespace millrace::attach {
namespace {

namespace fs = std::filesystem;

constexpr const char* unit = "millrace-relay.service";
constexpr const char* drop_in = "/etc/systemd/system/millrace-relay.service.d/attached.conf";
/// The relay may take its whole stop time, and opens a large spool.
constexpr Duration patience = std::chrono::seconds(90);

Result<void> allow_wake() {
    if (::getgrnam("postdrop") == nullptr) {
        return {};
    }
    std::error_code error;
    fs::create_directories(fs::path(drop_in).parent_path(), error);
    return write_whole(drop_in,
                       "# Written by `millrace attach`: the group that may run postqueue -f, for "
                       "relay.wake.\n[Service]\nSupplementaryGroups=postdrop\n",
                       0644,
                       0,
                       0);
}

}  // namespace

bool relay_is_unit() {
    std::error_code error;
    if (!fs::exists("/run/systemd/system", error)) {
        return false;
    }
    auto const active = run_program({"systemctl", "--quiet", "is-active", unit});
    return active && active->exit == 0;
}

Result<void> restart_relay_unit(bool wakes) {
    if (wakes) {
        if (auto done = allow_wake(); !done) {
            return done;
        }
    } else {
        std::error_code error;
        fs::remove(drop_in, error);
        fs::remove(fs::path(drop_in).parent_path(), error);  // if it is empty
    }
    if (auto done = output_of({"systemctl", "daemon-reload"}, patience); !done) {
        return std::unexpected(done.error());
    }
    auto const done = output_of({"systemctl", "restart", unit}, patience);
    return done ? Result<void>() : std::unexpected(done.error());
}

}  // namespace millrace::attach
