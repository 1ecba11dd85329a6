#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/id.hpp"
#include "common/base/time.hpp"
#include "relay/spool/message.hpp"
#include "relay/spool/spool.hpp"

namespace millrace::relay {

/// RFC 3464 §2.3.3.
enum class DsnAction : std::uint8_t {
    failed,
    delayed,
    delivered,
    relayed,  ///< handed to a server that does not report success itself
};

/// What there is to say about one recipient.
struct DsnRecipient {
    Recipient recipient;
    DsnAction action = DsnAction::failed;
    std::string status;       ///< `5.1.1`; empty or of the wrong class: a general one of the action
    std::string diagnostic;   ///< `550 5.1.1 No such user`; empty: there was no reply
    std::string remote_host;  ///< `mx.example.com [192.0.2.1]`; empty: nobody was reached
    Time last_attempt{};      ///< zero: never tried
    Time retry_until{};       ///< of delayed
    std::string reason;       ///< our own words, beside the reply or when there was none
};

/// About what the notification is, and from whom.
struct DsnContext {
    MessageId id;          ///< of the notification
    std::string hostname;  ///< ours: Reporting-MTA, From, Message-ID
    Time now{};            ///< for the queue
    Time wall{};           ///< for Date
};

/// The delivery status notification for these recipients of a message, or none when nobody is to be
/// told: the null sender, NOTIFY (RFC 3461 §4.1, §5.2), a bulk message's delay, a sender whose
/// address has no domain. `delivered` and `relayed` are told only to who asked for them. All
/// recipients of one transaction go into one notification (RFC 5321 §6.1).
///
/// multipart/report of RFC 3461, 3464 and 6522, in the forms of RFC 6533 where an address needs
/// UTF-8; 7-bit otherwise, whatever the original holds. The original comes back whole for RET=FULL
/// on a failure when it has at most returned_max bytes, else as its header block.
///
/// original: the stored message; may be its header block alone, or empty when it cannot be read.
/// Pure.
std::optional<NewMail> make_dsn(const Envelope& envelope,
                                std::string_view original,
                                std::span<const DsnRecipient> recipients,
                                const DsnContext& context);

/// Of which outcomes the postmaster gets a copy, and where.
struct PostmasterWish {
    std::string address;
    bool bounce = false;
    bool double_bounce = false;  ///< mail from the null sender that could not be delivered
    bool delay = false;
};

/// The copy for the postmaster: the same report, with the header of the original only, from the
/// null sender; none when nothing in it was asked for. Never about mail to the postmaster himself,
/// so that no copy can cause another. A `delayed` counts where the sender is told of it. Pure.
std::optional<NewMail> make_postmaster_copy(const Envelope& envelope,
                                            std::string_view original,
                                            std::span<const DsnRecipient> recipients,
                                            const DsnContext& context,
                                            const PostmasterWish& wish);

/// Whether a recipient's failure is that of a bounce: nobody can be told.
bool is_double_bounce(const Envelope& envelope, const DsnRecipient& recipient);

/// Originals above this come back as headers only, whatever RET says.
constexpr std::size_t returned_max = 50 * 1024;
/// Header blocks are cut here, at a line.
constexpr std::size_t returned_header_max = 64 * 1024;

/// Whether make_dsn would tell anyone about that action for this recipient: spares reading the
/// body.
bool wants_dsn(const Envelope& envelope, const Recipient& recipient, DsnAction action);

}  // namespace millrace::relay
