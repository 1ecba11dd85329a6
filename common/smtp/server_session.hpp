#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/smtp/command.hpp"
#include "common/smtp/line_reader.hpp"
#include "common/smtp/reply.hpp"
#include "common/smtp/xforward.hpp"

namespace millrace::smtp {

/// What a server offers, and to whom.
struct ServerOptions {
    std::string hostname;
    std::uint64_t size_max = 64ULL << 20;
    unsigned recipients_max = 1000;  ///< at least 100 (RFC 5321 §4.5.3.1.8)
    bool starttls = false;
    bool xforward = false;  ///< the client may tell of its own client
    bool trusted = false;   ///< its refused recipients do not count as errors
};

/// One mail transaction (RFC 5321 §3.3): what MAIL and RCPT have brought so far.
struct ServerTransaction {
    MailArguments mail;
    std::vector<RcptArguments> recipients;
};

/// What only the owner of a server session can say. A reply refuses, none lets pass.
class ServerPolicy {
  public:
    virtual ~ServerPolicy() = default;
    virtual std::optional<Reply> mail(const MailArguments& arguments) = 0;
    virtual std::optional<Reply> rcpt(const RcptArguments& arguments) = 0;
};

/// What to do next. The reply, when there is one, is sent first.
struct Step {
    enum class Next {
        command,    ///< read the next line
        start_tls,  ///< send the reply, throw away nothing (there is nothing), shake hands, then
                    ///< tls_started()
        data,       ///< read up to the end of data, then finish() with the verdict
        chunk,      ///< take `octets` octets, then chunk_done()
        store,      ///< the message is complete: finish() with the verdict
        close,      ///< send the reply and close
    };
    Next next = Next::command;
    std::optional<Reply> reply;
    std::uint64_t octets = 0;  ///< chunk: how many
    bool keep = false;         ///< chunk: they belong to the message
};

/// The server's side of SMTP as a pure state machine: command lines in, replies and next steps out.
/// Exactly one reply for each command, whatever happens; no refused command leaves anything behind.
/// RFC 5321 §4.1.4 for the order, RFC 2920 for pipelining, RFC 3207, RFC 3030.
class ServerSession {
  public:
    /// policy outlives the session.
    ServerSession(ServerOptions options, ServerPolicy& policy)
        : options_(std::move(options)), policy_(policy) {}

    /// `220 mx.example.com ESMTP`.
    Reply greeting() const;

    /// Whether bytes behind the command have been read already. They may not be after EHLO, DATA
    /// and STARTTLS: the client has not waited for an answer it needs (RFC 2920 §3.1), or someone
    /// else put them there.
    enum class Behind { nothing, more };
    Step step(const Line& line, Behind behind);
    /// After Next::chunk, with all its octets taken.
    enum class Fit { within, too_large };
    Step chunk_done(Fit fit);
    /// After Next::data and Next::store: the answer to the message. The transaction is over.
    Step finish(Reply verdict);
    /// After a completed handshake: everything is forgotten (RFC 3207 §4.2).
    void tls_started();

    bool in_transaction() const { return transaction_.has_value(); }
    /// Only in a transaction.
    const ServerTransaction& transaction() const { return *transaction_; }
    /// Chunks have come and the message is not complete: the owner keeps them.
    bool chunking() const { return chunking_; }
    const std::string& helo() const { return helo_; }
    bool extended() const { return dialect_ == Dialect::extended; }
    const Forwarded& forwarded() const { return forwarded_; }

  private:
    Step execute(const Command& command, Behind behind);
    Step hello(const Command& command, Behind behind);
    Step mail(std::string_view argument);
    Step rcpt(std::string_view argument);
    Step data(std::string_view argument, Behind behind);
    Step bdat(std::string_view argument);
    Step start_tls(std::string_view argument, Behind behind);
    Step xforward(std::string_view argument);
    Step counted(Step step);
    Reply capabilities() const;
    void reset();

    ServerOptions options_;
    ServerPolicy& policy_;
    Dialect dialect_ = Dialect::basic;
    std::string helo_;  ///< empty: not greeted yet
    bool secure_ = false;
    bool spoken_ = false;  ///< a command has been seen
    std::optional<ServerTransaction> transaction_;
    bool chunking_ = false;
    bool last_chunk_ = false;
    std::optional<Reply> chunk_refusal_;
    Forwarded forwarded_;
    unsigned errors_ = 0;
    unsigned idle_commands_ = 0;  ///< since the last message
    unsigned overshoot_ = 0;      ///< recipients refused because there are too many
};

}  // namespace millrace::smtp
