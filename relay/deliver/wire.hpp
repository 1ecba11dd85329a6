#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "common/net/clock.hpp"
#include "common/net/signal.hpp"
#include "common/net/stream.hpp"
#include "common/net/task_group.hpp"
#include "common/smtp/reply_parser.hpp"
#include "relay/deliver/transcript.hpp"

namespace millrace::relay {

/// The line to a receiving server: commands out, replies in.
///
/// Until listen() a reply is read when it is asked for. From then on a reader takes in whatever
/// arrives, so that a reply that comes too early, or the end of the connection, is known before
/// anything more is said. After any failure the line is closed.
/// Thread: the loop's.
class Wire : public std::enable_shared_from_this<Wire> {
  public:
    /// transcript: hears of everything; may be none.
    Wire(std::unique_ptr<Stream> stream,
         Clock& clock,
         asio::any_io_executor executor,
         std::shared_ptr<Transcript> transcript);

    /// Failure: timed_out, closed, reset, tls, cancelled; invalid: what arrived is not SMTP.
    Task<Result<void>> say(std::string commands, Duration limit);
    /// The same for bytes of the message, which nobody is shown.
    Task<Result<void>> send(std::string bytes, Duration limit);
    Task<Result<smtp::Reply>> reply(Duration limit);

    /// Failure: tls; invalid: bytes arrived before the handshake (RFC 3207 §6).
    Task<Result<void>> secure(TlsClient options, Duration limit);

    /// Starts the reader; no secure() afterwards.
    void listen(TaskGroup& group);

    /// Something arrived that nobody has asked for, or the connection has ended.
    bool disturbed() const {
        return closed_ || ended_.has_value() || !inbox_.empty() || parser_.begun();
    }
    /// A complete reply that has already arrived.
    std::optional<smtp::Reply> early_reply();

    bool open() const { return !closed_; }
    bool in_tls() const { return stream_->tls().has_value(); }
    const Stream& stream() const { return *stream_; }
    void close();

  private:
    static Task<void> read_on(std::shared_ptr<Wire> self);
    /// Whether a reply is complete; broken: invalid.
    Result<bool> parse();
    std::unexpected<Failure> fail(Failure why);
    Task<Result<void>> write(std::string bytes, Duration limit);
    smtp::Reply take_reply();

    std::unique_ptr<Stream> stream_;
    Clock& clock_;
    std::shared_ptr<Transcript> transcript_;
    smtp::ReplyParser parser_;
    std::string inbox_;  ///< arrived and not parsed
    std::optional<Failure> ended_;
    Signal arrived_;
    std::array<char, 4096> buffer_;
    bool listening_ = false;
    bool closed_ = false;
};

}  // namespace millrace::relay
