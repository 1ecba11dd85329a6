#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/smtp/ehlo.hpp"
#include "relay/deliver/courier.hpp"
#include "relay/deliver/wire.hpp"

namespace millrace::relay {

/// What stopped a step: a reply that says no, or a line that went dead.
struct Setback {
    Phase phase = Phase::connect;
    unsigned code = 0;     ///< 0: no reply
    std::string enhanced;  ///< the receiver's, or ours without a reply; any class
    std::string text;
    Typed typed;
    bool lost = false;  ///< nothing more can be said on this connection
    bool ours = false;  ///< this machine could not even try: the receiver has no part in it
    bool hung_up = false;  ///< the receiver ended the connection without a word
};
/// Nothing: the step went well.
using Step = std::optional<Setback>;

/// The state of one conversation with a receiving server. Opening it stands in opening.cpp, sending
/// over it in sending.cpp.
class Conversation {
  public:
    Conversation(
        Network& network, Clock& clock, Log& log, TaskGroup& readers, CourierOptions options);
    ~Conversation();

    Task<Opened> open(Route route, std::vector<Target> targets);
    Task<std::vector<RecipientOutcome>> send(Transaction transaction);
    Task<void> quit();
    void abort();

    bool reusable() const;
    unsigned recipients_max() const;
    unsigned delivered() const { return delivered_; }
    const std::string& host() const { return host_; }
    const std::string& source_ip() const { return source_ip_; }
    std::string tls_protocol() const;

  private:
    // Opening, in the order of the transcript.
    Task<Step> approach(Target target, config::TlsLevel level, std::optional<Login> login);
    Task<Step> connect(Target target);
    Task<Step> greet();
    Task<Step> hello(Phase phase);
    Task<Step> secure(config::TlsLevel level, std::string name);
    Task<Step> authenticate(Login login);
    void part();

    // Sending.
    struct Delivery;
    using Shared = std::shared_ptr<Delivery>;
    /// Why the message cannot go to this server at all, whatever it would say.
    std::optional<RecipientOutcome> obstacle(Delivery& delivery) const;
    Task<Step> reset();
    Task<void> offer(Shared delivery);
    Task<void> hear_recipients(Shared delivery, bool together);
    Task<void> hear_data(Shared delivery);
    Task<void> transfer(Shared delivery);
    Task<void> hear_verdict(Shared delivery);
    Task<void> send_nothing();
    void interrupted(Delivery& delivery, const Failure& why);
    std::string mail_command(const Delivery& delivery) const;
    std::string rcpt_command(const Recipient& recipient) const;
    RecipientOutcome refusal(const Setback& why) const;

    /// One command and its reply; a Setback when there is none.
    Task<Result<smtp::Reply>> ask(std::string command, Duration limit);
    bool may_send() const { return !options_.may_send || options_.may_send(); }
    Setback no(Phase phase, const smtp::Reply& reply) const;
    Setback dead(Phase phase, const Failure& why) const;
    Setback nonsense(Phase phase, const smtp::Reply& reply);

    Network& network_;
    Clock& clock_;
    Log& log_;
    TaskGroup& readers_;
    CourierOptions options_;

    std::shared_ptr<Wire> wire_;  ///< none: not connected
    smtp::Capabilities offers_;
    std::string host_;
    std::string hostname_;  ///< what we call ourselves on this connection
    std::string source_ip_;
    std::string sender_domain_;  ///< of the message under way
    unsigned transactions_ = 0;  ///< MAIL commands accepted, for MAILMAX
    unsigned delivered_ = 0;
    bool used_ = false;     ///< a transaction has been tried on this connection
    bool begun_ = false;    ///< a transaction stands open at the receiver: RSET before the next
    bool closing_ = false;  ///< the receiver said 421
    bool aborted_ = false;
};

}  // namespace millrace::relay
