#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/log.hpp"
#include "common/base/metric.hpp"
#include "common/config/settings.hpp"
#include "common/net/clock.hpp"
#include "common/net/stream.hpp"
#include "common/smtp/bdat_reader.hpp"
#include "common/smtp/data_reader.hpp"
#include "common/smtp/server_session.hpp"
#include "relay/intake/acceptor.hpp"
#include "relay/intake/attribution.hpp"
#include "relay/intake/in_flight.hpp"
#include "relay/intake/pace.hpp"
#include "relay/intake/waiting_line.hpp"
#include "relay/prepare/prepare.hpp"

namespace millrace::relay {

/// What sessions count. Thread: any.
struct IntakeCounters {
    explicit IntakeCounters(Metrics& metrics);
    Counter& accepted;
    Counter& refused;
    Counter& deferred;
    Counter& waited_for_seat;
    Counter& waited_for_room;
    Counter& waited_for_spool;
};

/// What all sessions of a server share. Everything outlives the sessions.
struct IntakeDesk {
    Clock& clock;
    Log& log;
    Acceptor& acceptor;
    InFlight& in_flight;
    WaitingLine& room;            ///< for room in in_flight
    unsigned& waiting_for_spool;  ///< sessions whose message the spool does not take yet
    IntakeCounters& counters;
    Pace& unattributed;  ///< of the account `local`
};

/// Whether a client waits better than it tries again: an MTA in front of us, which would put its
/// whole queue off for minutes. It is kept waiting, well within the time limits of Postfix, where
/// others are told to come later.
bool is_patient(const config::Listener& listener, const Address& client);

/// One client's SMTP conversation, from the greeting to the close. Written as the transcript reads;
/// what to answer is decided by smtp::ServerSession and prepare().
/// Thread: the loop's.
class SmtpSession final : public std::enable_shared_from_this<SmtpSession>,
                          private smtp::ServerPolicy {
  public:
    /// settings: one snapshot for the whole conversation; listener: the index in it.
    SmtpSession(IntakeDesk desk,
                config::Snapshot settings,
                config::Listener listener,
                std::unique_ptr<Stream> stream);

    /// Returns when the conversation is over, however it ended. Once.
    Task<void> run();
    /// The relay stops: 421 as soon as no message is under way. When nobody is talking, farewell()
    /// is to be run now; it says 421 and closes.
    enum class Stopping { farewell_now, by_itself };
    Stopping stop();
    Task<void> farewell();
    /// Closes the connection at once.
    void abort() { stream_->close(); }

  private:
    std::optional<smtp::Reply> mail(const smtp::MailArguments& arguments) override;
    std::optional<smtp::Reply> rcpt(const smtp::RcptArguments& arguments) override;

    Task<bool> converse();
    Task<std::optional<smtp::Line>> next_line();
    Task<bool> carry_out(smtp::Step step);
    Task<std::optional<smtp::Step>> take_data();
    Task<std::optional<smtp::Step>> take_chunk(smtp::Step chunk);
    smtp::Step finish(smtp::Reply verdict);
    bool engaged() const;
    Task<smtp::Reply> store(std::string message);
    Task<smtp::Reply> hand_over(Prepared prepared);
    Attribution attribution(std::string_view message, Time wall);
    void slow_down_unattributed(NewMail& mail, Time now);
    Task<bool> shake_hands();
    /// Sets the share, waiting for it when the client is patient; false: there is no room.
    Task<bool> hold(InFlight::Share& share, std::uint64_t bytes);
    /// As Acceptor::accept; a patient client waits for a spool that does not keep up.
    Task<Result<void>> hand_in(NewMail mail);

    Task<bool> fill(Time deadline);
    Task<bool> flush();
    /// Reads on for a moment: closing with bytes unread would make the system take back the reply.
    Task<void> drain();
    void say(const smtp::Reply& reply) { out_ += smtp::format(reply); }
    /// By when more of a message must have come.
    Time data_deadline(Time started, std::uint64_t bytes) const;
    void log_refusal(const smtp::Reply& reply, const policy::Outcome* why);
    void note_end(const Failure& failure);

    IntakeDesk desk_;
    config::Snapshot settings_;
    config::Listener listener_;
    std::unique_ptr<Stream> stream_;
    Endpoint client_;
    bool trusted_;
    bool patient_;
    smtp::ServerSession protocol_;
    smtp::LineReader lines_;
    std::unique_ptr<char[]> buffer_;  ///< while there is something in it, or may soon be
    std::string_view input_;          ///< read and not used yet
    std::string out_;         ///< said and not sent yet
    std::optional<smtp::BdatReader> chunks_;
    std::optional<InFlight::Share> chunk_share_;
    Time chunks_started_{};
    std::uint64_t chunk_bytes_ = 0;
    bool no_room_ = false;
    bool listening_ = false;  ///< waits for a command
    bool stopping_ = false;
    bool idle_ = false;      ///< has answered a message, and nothing was said since
    Time leave_by_ = never;  ///< of an engaged session that is stopping
    bool unread_ = false;    ///< the client was still talking when it was told the end
    bool leaving_ = false;   ///< farewell() has the stream
};

}  // namespace millrace::relay
