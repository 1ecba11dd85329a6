#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config/complete.hpp"
#include "common/handover/key.hpp"

namespace millrace::config {
namespace {

enum class Secrecy { open, secret };

void look(std::vector<std::string>& found,
          std::string_view setting,
          const std::string& file,
          Secrecy secrecy) {
    if (file.empty()) {
        return;
    }
    struct stat status = {};
    if (::stat(file.c_str(), &status) != 0 || ::access(file.c_str(), R_OK) != 0) {
        found.push_back(
            fmt::format("{}: {} cannot be read: {}", setting, file, std::strerror(errno)));
    } else if (!S_ISREG(status.st_mode)) {
        found.push_back(fmt::format("{}: {} is not a file", setting, file));
    } else if (secrecy == Secrecy::secret && (status.st_mode & (S_IRWXO | S_IWGRP)) != 0) {
        found.push_back(
            fmt::format("{}: {} is a secret that others may read or change: chmod 640 {}",
                        setting,
                        file,
                        file));
    }
}

Result<void> read_key(std::string_view setting, const std::string& file, std::string& secret) {
    secret.clear();
    if (file.empty()) {
        return {};
    }
    auto key = handover::read_handover_key(file);
    if (!key) {
        return failure(key.error().fault, fmt::format("{}: {}", setting, key.error().detail));
    }
    secret = *std::move(key);
    return {};
}

}  // namespace

Result<void> read_secrets(Settings& settings, Part part) {
    return part == Part::milter ? read_key("milter.handover_key",
                                           settings.milter.handover_key,
                                           settings.milter.handover_secret)
                                : read_key("relay.handover_key",
                                           settings.relay.handover_key,
                                           settings.relay.handover_secret);
}

Result<void> read_rules(Settings& settings, Part part) {
    settings.relay.shaping_rules = {};
    if (part == Part::milter) {
        return {};
    }
    auto rules = load_shaping(settings.relay.shaping);
    if (!rules) {
        return std::unexpected(rules.error());
    }
    settings.relay.shaping_rules = *std::move(rules);
    return {};
}

std::vector<std::string> check_files(const Settings& settings, Part part) {
    std::vector<std::string> found;
    if (part == Part::milter) {
        return found;
    }
    for (auto const& listener : settings.relay.listeners) {
        look(found, "relay.listeners.certificate", listener.certificate, Secrecy::open);
        look(found, "relay.listeners.key", listener.key, Secrecy::secret);
    }
    for (auto const& route : settings.relay.routes) {
        look(found, "relay.routes.password_file", route.password_file, Secrecy::secret);
    }
    return found;
}

}  // namespace millrace::config
