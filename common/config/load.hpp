#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/config/setting.hpp"
#include "common/config/settings.hpp"

namespace millrace::config {

constexpr const char* default_file = "/etc/millrace/millrace.conf";

/// Whether a missing file is an error: it is for `-c FILE`, it is not for the default path.
enum class Missing { is_error, means_defaults };

/// `attached.conf` in the folder of the configuration file: written by `millrace attach`, read
/// beneath the configuration file, which wins setting by setting. Usually there is none.
std::string attached_file(const std::string& file);

/// Reads and checks a configuration file and what lies beneath it. The default file may be absent
/// or empty: then every default holds. Failure (invalid): `FILE:LINE: unknown setting relay.spol:
/// did you mean relay.spool?` – file, line, fault, next step; the first fault found. `warnings`,
/// when given, gets what is allowed but seldom meant.
Result<Snapshot> load(const std::string& file,
                      Missing missing,
                      std::vector<std::string>* warnings = nullptr);
/// Whether the file itself says something about this setting (`milter.socket`), whatever lies
/// beneath it. False for a file that cannot be read.
bool mentions(const std::string& file, std::string_view name);
/// The same for text that is already here; `name` stands for the file in messages.
Result<Snapshot> parse(const std::string& text,
                       const std::string& name,
                       std::vector<std::string>* warnings = nullptr);

/// Reads a group of a document into the values that the lines stand for. Failure (invalid): the
/// place, and what is unknown or wrong; the first fault found.
Result<void> read_settings(const Node& group, const std::vector<Setting>& lines);

/// The whole configuration in force in libconfig syntax, every setting of the table with its value;
/// parse(print(x)) == x.
std::string print(const Settings& settings);
/// Generated from the table: the annotated example file, the reference page (Markdown), and the
/// manual page millrace.conf(5).
std::string example();
std::string reference();
std::string manual_page();

/// "15m", "1h30m", "64M" and back: used by the table and by people's commands.
Result<Duration> parse_duration(std::string_view text);
Result<std::uint64_t> parse_size(std::string_view text);
std::string print_duration(Duration d);
std::string print_size(std::uint64_t bytes);

}  // namespace millrace::config
