#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/net/clock.hpp"
#include "common/smtp/reply.hpp"
#include "relay/deliver/last_dialogues.hpp"
#include "relay/deliver/secret_mask.hpp"
#include "relay/deliver/trace.hpp"

namespace millrace::relay {

/// Writes down one conversation: for whoever watches live, and its last lines for the site's last
/// dialogue. Passwords and messages never get into it. Thread: the loop's.
class Transcript {
  public:
    /// hub, last and clock must outlive it. number: of the conversation.
    Transcript(TraceHub& hub,
               LastDialogues& last,
               const Clock& clock,
               std::string site,
               std::uint64_t number);

    /// A connection to `host` begins, to be made from `source` if that is known already.
    void connecting(const std::string& host, const std::string& source);
    void connected(const std::string& source);
    /// What is carried from here on; {}: nothing.
    void carries(TraceLoad load);
    void hide(std::string_view secret) { mask_.hide(secret); }

    /// Commands as they go out, one or several.
    void said(std::string_view bytes);
    /// Bytes of the message went out.
    void sent(std::size_t bytes) { message_bytes_ += bytes; }
    void heard(const smtp::Reply& reply);
    void note(std::string_view text);
    /// The conversation broke: that counts as a refusal.
    void broke(std::string_view why);

  private:
    void line(TraceLine::Kind kind, std::string text);
    void tell_sent();

    TraceHub& hub_;
    LastDialogues& last_;
    const Clock& clock_;
    std::string site_;
    std::uint64_t number_;
    std::string host_, source_;
    TraceLoad load_;
    SecretMask mask_;
    std::string recent_;  ///< the last lines of this connection, about LastDialogues::text_max
    std::size_t message_bytes_ = 0;  ///< gone out since the last line
    bool after_message_ = false;     ///< the next reply is about a message
    bool refused_here_ = false;      ///< something of what is carried was refused already
};

}  // namespace millrace::relay
