#pragma once

#include <string>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/settings.hpp"

namespace millrace::config {

/// Fills in what depends on other settings or on the machine (host name, control socket, default
/// listener) and checks what no single line can: settings that contradict each other.
/// Failure (invalid): one sentence that names both. `warnings` gets what works but is seldom meant.
Result<void> complete(Settings& settings, std::vector<std::string>& warnings);

/// The part of complete() about relay.sources and relay.pools.
Result<void> complete_sources(Relay& relay, std::vector<std::string>& warnings);

/// The machine's full name without asking the network: gethostname(2), completed from /etc/hosts.
std::string machine_name();

/// Which program's files are looked at.
enum class Part { relay, milter };

/// Looks at the files that the settings name: certificates, keys, passwords. One sentence for each
/// that is missing, unreadable, or readable by everyone although it is a secret.
std::vector<std::string> check_files(const Settings& settings, Part part);

/// Reads the secrets that a program works with from the files the settings name: handover_secret.
/// Failure (invalid): the setting, the file, what is wrong and what to do; the secret is empty
/// then.
Result<void> read_secrets(Settings& settings, Part part);

/// Reads the rule files of relay.shaping into shaping_rules, for the relay only. Failure (invalid):
/// of load_shaping().
Result<void> read_rules(Settings& settings, Part part);

}  // namespace millrace::config
