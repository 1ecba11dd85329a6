#pragma once

#include <concepts>
#include <initializer_list>
#include <mutex>
#include <string>
#include <string_view>

#include "common/base/time.hpp"

namespace millrace {

enum class Level {
    error,    ///< a human must look; fails a simulation
    warning,  ///< we coped, and it is unusual
    info,     ///< one line per business event
    debug,    ///< the dialogue
};

/// One `name=value` of a log line. Values are escaped by the sink: no line can be forged through
/// them.
struct Field {
    std::string name;
    std::string value;
    Field(std::string_view n, std::string_view v) : name(n), value(v) {}
    Field(std::string_view n, const char* v) : name(n), value(v) {}
    Field(std::string_view n, const std::string& v) : name(n), value(v) {}
    template <std::integral T>
    Field(std::string_view n, T v) : name(n), value(std::to_string(v)) {}
};

/// Where log lines go: one event per line, a fixed dotted name and fields (`delivery.deferred id=…
/// to=…`). Thread: any; implementations lock.
class Log {
  public:
    virtual ~Log() = default;
    virtual void write(Level level,
                       std::string_view event,
                       std::initializer_list<Field> fields) = 0;

    void error(std::string_view e, std::initializer_list<Field> f = {}) {
        write(Level::error, e, f);
    }
    void warning(std::string_view e, std::initializer_list<Field> f = {}) {
        write(Level::warning, e, f);
    }
    void info(std::string_view e, std::initializer_list<Field> f = {}) { write(Level::info, e, f); }
    void debug(std::string_view e, std::initializer_list<Field> f = {}) {
        write(Level::debug, e, f);
    }
};

/// `event name=value name="value with blanks"`; control bytes and quotes escaped as \xNN, \" and
/// \\.
std::string format_log_line(std::string_view event, std::initializer_list<Field> fields);

/// To a file descriptor (stderr under systemd), one write per line. Prefixes `<N>` levels when
/// asked, which is how journald learns the severity.
class DescriptorLog final : public Log {
  public:
    enum class Prefix { none, syslog_level };
    DescriptorLog(int descriptor, Level least, Prefix prefix);
    void write(Level level, std::string_view event, std::initializer_list<Field> fields) override;

  private:
    std::mutex mutex_;
    int descriptor_;
    Level least_;
    Prefix prefix_;
};

/// Says nothing.
class NullLog final : public Log {
  public:
    void write(Level, std::string_view, std::initializer_list<Field>) override {}
};

}  // namespace millrace
