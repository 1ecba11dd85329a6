#pragma once

#include <optional>
#include <string_view>

namespace millrace::smtp {

/// One esmtp-param of RFC 5321 §4.1.2: a keyword, and a value when there is `=`.
struct Parameter {
    std::string_view keyword;
    std::optional<std::string_view> value;
};

/// Reads the parameters behind a path one after the other.
class ParameterReader {
  public:
    explicit ParameterReader(std::string_view text) : rest_(text) {}

    enum class Read { parameter, end, malformed };
    /// malformed: a keyword or value against the grammar, or no blank between two of them.
    Read next(Parameter& parameter);

  private:
    std::string_view rest_;
};

}  // namespace millrace::smtp
