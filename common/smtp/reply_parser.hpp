#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/smtp/reply.hpp"

namespace millrace::smtp {

/// A server may say this much in one reply; what says more is no mail server we can follow. RFC
/// 5321 §4.5.3.1.5 allows 512 octets a line; the busiest EHLO answers have some 30 lines.
constexpr std::size_t reply_lines_max = 100;
constexpr std::size_t reply_line_max = 4096;
constexpr std::size_t reply_size_max = 65536;

/// Puts one reply after the other together from the bytes of a receiving server (RFC 5321 §4.2.1),
/// however they are cut up. A lone LF ends a line as CRLF does: some servers write it, and a reply
/// is answered by no one, so nothing can be hidden in it. Broken is final: a code out of 2xx–5xx, a
/// code that changes within a reply, a NUL, a line without a code, too much of anything.
class ReplyParser {
  public:
    enum class State {
        more,    ///< all bytes were taken, the reply is not complete
        done,    ///< take() has a reply; bytes behind it were left
        broken,  ///< this is not SMTP; fault() says why
    };

    /// Takes bytes from the front of `bytes` until a reply is complete.
    State feed(std::string_view& bytes);
    /// The complete reply; the parser is ready for the next one.
    Reply take();
    /// Whether part of a reply has arrived.
    bool begun() const { return !line_.empty() || reply_.code != 0; }
    /// For the log, without the server's bytes.
    const std::string& fault() const { return fault_; }

  private:
    State finish_line();
    State broken(const char* why);

    Reply reply_;
    std::string line_;
    std::size_t size_ = 0;
    bool complete_ = false;
    std::string fault_;
};

}  // namespace millrace::smtp
