#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/handover/handover.hpp"
#include "common/policy/gate.hpp"
#include "milter/edit_plan.hpp"
#include "milter/reply.hpp"
#include "milter/rules.hpp"

namespace millrace::milter {

/// Who talks to the MTA. Views are copied.
struct Client {
    std::string_view mta;      ///< macro v: `Postfix 3.7.11`, `8.17.1.9` (Sendmail)
    std::string_view address;  ///< macro {client_addr}; empty when no network client is there
};

/// The MAIL command, or what stands for it in mail without SMTP.
struct MailCommand {
    std::string_view sender;                       ///< argv[0]: `<a@b>`, or `a@b` from pickup
    std::span<const std::string_view> parameters;  ///< `SMTPUTF8`, `BODY=8BITMIME`, …
    std::string_view account;                      ///< macro {auth_authen}: the SASL user
    std::string_view resolved{};  ///< macro {mail_addr}: the sender as Postfix completes it, since
                                  ///< the relay will see it so; may be empty
};

/// What the log says about one message.
struct Report {
    std::string queue_id;
    std::string verdict;  ///< accept, reject, untouched, tempfail; would-accept, would-reject
    std::string tag;
    std::string origin;   ///< submission, local, smtp
    std::string account;  ///< SASL user, or empty
    std::string sender;   ///< envelope sender
    std::vector<policy::Defect> defects;
    std::size_t edits = 0;              ///< made, or in report-only mode: that would have been made
    std::vector<policy::Edit> changes;  ///< those edits
    std::string reply;                  ///< of a refusal
    unsigned recipients = 0;
    std::string client;                  ///< its address; empty when no network client is there
    std::string message_id;              ///< of the Message-ID field as it came in, or empty
    std::vector<std::string> from;       ///< domains of the From field, lower-case A-labels
    std::map<std::string, unsigned> to;  ///< recipients by domain, lower-case
};

struct Decision {
    Reply reply;
    std::vector<Operation> operations;  ///< to be sent in this order before the reply
    Report report;
};

/// One SMTP session as the milter protocol tells it: collects a message's envelope and header
/// block, and decides at its end. Holds nothing of a message once the next one begins; after any
/// sequence of callbacks a message is judged as by a new object.
/// Thread: any, one at a time (libmilter moves a session between threads).
class Session {
  public:
    void connect(const Client& client);
    /// Begins a message under these rules, which stay pinned until its end.
    void begin(const MailCommand& command, PinnedRules rules);
    /// path: as the MTA passes it, `<a@b>`. mailer: macro {rcpt_mailer}, the transport it leaves by;
    /// empty when the MTA does not tell.
    void recipient(std::string_view path, std::string_view mailer);
    /// name and value as the MTA passes them (with SMFIP_HDR_LEADSPC); both are copied.
    /// Over block_max bytes in all they are not kept, and the message is refused (552 5.3.4).
    void header(std::string_view name, std::string_view value);
    /// The message is over without an end: RSET, or the client went away.
    void abort();
    /// Decides, and forgets the message. May throw only std::bad_alloc. wall: what the clock on the
    /// wall says, for the handover.
    Decision end_of_message(std::string_view queue_id,
                            const policy::Invention& invention,
                            Time wall);

    bool in_message() const { return in_message_; }

  private:
    struct Extent {
        std::uint32_t name_size;
        std::uint32_t value_size;
    };

    std::vector<mail::HeaderField> fields() const;
    policy::Origin origin() const;
    struct Ending {
        std::string_view queue_id;
        const policy::Invention& invention;
        Time wall;
    };
    Decision judge(const Ending& ending) const;
    Decision pass_untouched(const Ending& ending) const;
    /// The field for the relay; none when it is not to be told.
    std::optional<policy::Edit> handover(handover::Verdict verdict,
                                         std::string_view tag,
                                         const Ending& ending) const;
    Decision too_large() const;
    void describe(Report& report) const;

    // Of the session.
    bool sendmail_ = false;
    std::string client_;  ///< address; empty when no network client is there
    // Of the message.
    bool in_message_ = false;
    bool brackets_ = false;  ///< the sender stood in <>: the message came by SMTP
    bool smtputf8_ = false;
    bool overflow_ = false;
    bool elsewhere_ = false;  ///< a recipient does not leave through our relay, or nobody knows
    unsigned recipients_ = 0;
    std::map<std::string, unsigned> to_;  ///< at most destinations_max; recipients_ counts all
    std::string sender_;
    std::string resolved_sender_;  ///< the same, completed by Postfix where it knows
    std::string account_;
    std::string bytes_;  ///< names and values one after the other
    std::vector<Extent> extents_;
    PinnedRules rules_;
};

}  // namespace millrace::milter
