#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::smtp {

/// Takes the message out of what a client sends after 354 (RFC 5321 §4.5.2). The data ends where
/// CRLF `.` CRLF stands, or `.` CRLF directly at the beginning, and nowhere else. One dot is taken
/// off each line that starts with one. Everything else is data, byte for byte; whether it may be
/// sent on (bare CR, bare LF, zero bytes) is found out here and decided by the caller, after the
/// true end. Holds at most `size_max` bytes; of a larger message the rest is read and forgotten.
class DataReader {
  public:
    explicit DataReader(std::uint64_t size_max) : size_max_(size_max) {}

    /// Takes bytes from the front of `bytes` until the data ends.
    void feed(std::string_view& bytes);
    bool done() const { return state_ == State::done; }

    /// Bytes of the message so far, forgotten ones included.
    std::uint64_t size() const { return size_; }
    bool too_large() const { return size_ > size_max_; }
    /// A CR or LF stood alone, or a zero byte was there.
    bool bare_cr() const { return bare_cr_; }
    bool bare_lf() const { return bare_lf_; }
    bool zero_byte() const { return zero_byte_; }
    /// Bytes held now.
    std::size_t held() const { return message_.size(); }
    /// Holds nothing from now on, whatever its size: there is no room for it.
    void forget() {
        size_max_ = 0;
        std::string().swap(message_);
    }
    /// The message, with the CRLF before the final dot; empty when it is too large.
    std::string take() { return std::move(message_); }

  private:
    enum class State { line_start, text, cr, dot, dot_cr, done };
    void keep(std::string_view part);
    void step(char c);
    /// Plain bytes of a line, up to the next CR or LF.
    void run(std::string_view& bytes);

    std::uint64_t size_max_;
    std::uint64_t size_ = 0;
    State state_ = State::line_start;
    bool bare_cr_ = false;
    bool bare_lf_ = false;
    bool zero_byte_ = false;
    std::string message_;
};

}  // namespace millrace::smtp
