#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::smtp {

/// A command line with its extensions: 512 octets of RFC 5321 §4.5.3.1.4, and what SIZE, DSN
/// (ORCPT 500 octets of xtext), SMTPUTF8 and AUTH= may add.
constexpr std::size_t command_line_max = 2048;

struct Line {
    enum class Kind {
        command,        ///< a whole line, without its CRLF
        bare_line_end,  ///< a CR or LF stood alone in it: never executed
        too_long,       ///< longer than command_line_max: never executed
    };
    Kind kind = Kind::command;
    std::string text;  ///< empty unless command
};

/// Cuts command lines out of the bytes a client sends, however they are cut up. Only CRLF ends a
/// line that may be executed (RFC 5321 §2.3.8). A LF alone is answered at once – people who type
/// into netcat would wait for ever – but what follows it up to the next CRLF belongs to the same
/// broken line and is dropped. Never holds more than command_line_max bytes.
class LineReader {
  public:
    /// Takes bytes from the front of `bytes` until a line is complete.
    std::optional<Line> next(std::string_view& bytes);
    /// Bytes of lines that were dropped since the reader was made.
    std::size_t dropped() const { return dropped_; }
    /// Whether a line has begun that has not ended.
    bool begun() const { return !line_.empty() || pending_cr_ || mode_ != Mode::reading; }
    /// Forgets a line that has begun.
    void reset();

  private:
    enum class Mode {
        reading,
        bare,      ///< a CR stood alone: one answer when the line ends
        too_long,  ///< likewise
        answered,  ///< a LF stood alone and was answered: silent until CRLF
    };
    std::optional<Line> end_line(bool with_cr);
    void keep(std::string_view part);

    std::string line_;
    Mode mode_ = Mode::reading;
    bool pending_cr_ = false;
    std::size_t dropped_ = 0;
};

}  // namespace millrace::smtp
