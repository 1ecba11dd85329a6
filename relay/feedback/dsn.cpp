#include "relay/feedback/dsn.hpp"

#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/transfer_encoding.hpp"
#include "common/smtp/enhanced_code.hpp"
#include "relay/feedback/dsn_parts.hpp"

namespace millrace::relay {

namespace {

bool is_about(std::span<const DsnRecipient> recipients, DsnAction action) {
    return std::ranges::any_of(recipients,
                               [&](const DsnRecipient& r) { return r.action == action; });
}

std::string_view subject_of(std::span<const DsnRecipient> recipients) {
    if (is_about(recipients, DsnAction::failed)) return "Your message could not be delivered";
    if (is_about(recipients, DsnAction::delayed)) return "Your message is delayed";
    return "Your message was delivered";
}

std::string boundary_for(const MessageId& id, std::string_view original) {
    auto boundary = "=_" + id.text();
    while (original.find(boundary) != std::string_view::npos)
        boundary += "_";
    return boundary;
}

/// To whom, and under which subject.
struct Addressed {
    std::string to;
    std::string destination;
    std::string_view subject;
};

std::string header_of(const Envelope& envelope,
                      const Addressed& addressed,
                      const DsnContext& context,
                      const std::string& boundary) {
    std::string header;
    header += "From: Mail Delivery System <MAILER-DAEMON@" + context.hostname + ">\r\n";
    header += "To: <" + addressed.to + ">\r\n";
    header.append("Subject: ").append(addressed.subject).append("\r\n");
    header += "Date: " + to_rfc5322(context.wall) + "\r\n";
    header += "Message-ID: <" + context.id.text() + ".dsn@" + context.hostname + ">\r\n";
    auto const& about = envelope.message_id;
    if (about.size() > 2 && about.size() < 900 && mail::is_ascii(about)) {
        header += "References: " + about + "\r\n";
    }
    header += "Auto-Submitted: auto-replied\r\n";
    header += "MIME-Version: 1.0\r\n";
    header += "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" +
              boundary + "\"\r\n";
    return header;
}

/// The report, addressed, with one piece of work.
NewMail compose(const Envelope& envelope,
                std::string_view original,
                std::span<const DsnRecipient> told,
                const DsnContext& context,
                const Addressed& addressed,
                bool whole) {
    auto const boundary = boundary_for(context.id, original);
    auto const opening = "--" + boundary + "\r\n";
    auto const bytes = header_of(envelope, addressed, context, boundary) + "\r\n" +
                       "This is a report in MIME format (RFC 3464).\r\n\r\n" + opening +
                       explanation_part(envelope, told, context) + "\r\n" + opening +
                       status_part(envelope, told, context) + "\r\n" + opening +
                       returned_part(original, whole) + "\r\n--" + boundary + "--\r\n";

    NewMail report;
    report.body = std::make_shared<const std::string>(bytes);
    auto& new_envelope = report.envelope;
    new_envelope.id = context.id;
    Recipient to;
    to.address = addressed.to;
    to.destination = addressed.destination;
    to.notify.never = true;
    new_envelope.recipients.push_back(std::move(to));
    new_envelope.account = envelope.account;
    new_envelope.smtputf8 = !mail::is_ascii(addressed.to);
    new_envelope.body = mail::is_ascii(bytes) ? BodyType::seven_bit : BodyType::eight_bit;
    new_envelope.received = context.now;
    new_envelope.born = context.now;
    new_envelope.message_id = "<" + context.id.text() + ".dsn@" + context.hostname + ">";
    new_envelope.size = bytes.size();

    Work work;
    work.key = {context.id, 0};
    work.destination = addressed.destination;
    work.due = context.now;
    work.born = context.now;
    work.klass = new_envelope.klass;
    work.account = new_envelope.account;
    work.sender_domain = "<>";
    work.recipient = addressed.to;
    report.works.push_back(std::move(work));
    return report;
}

std::string_view copy_subject_of(std::span<const DsnRecipient> told, bool no_sender) {
    if (no_sender) return "Postmaster notice: a bounce could not be delivered";
    if (is_about(told, DsnAction::failed)) return "Postmaster copy: undelivered mail";
    return "Postmaster copy: delayed mail";
}

}  // namespace

bool wants_dsn(const Envelope& envelope, const Recipient& recipient, DsnAction action) {
    if (envelope.sender.empty() || recipient.notify.never) return false;
    switch (action) {
        case DsnAction::failed:
            return recipient.notify.failure;
        case DsnAction::delayed:
            return recipient.notify.delay && envelope.klass != Class::bulk;
        case DsnAction::delivered:
        case DsnAction::relayed:
            return recipient.notify.success;
    }
    return false;
}

std::optional<NewMail> make_dsn(const Envelope& envelope,
                                std::string_view original,
                                std::span<const DsnRecipient> recipients,
                                const DsnContext& context) {
    std::vector<DsnRecipient> told;
    for (const auto& recipient : recipients) {
        if (wants_dsn(envelope, recipient.recipient, recipient.action)) told.push_back(recipient);
    }
    if (told.empty()) return std::nullopt;
    auto const destination = mail::ascii_domain(mail::domain_of(envelope.sender));
    if (!destination) return std::nullopt;
    bool const whole = envelope.ret == "FULL" && is_about(told, DsnAction::failed);
    return compose(envelope,
                   original,
                   told,
                   context,
                   {envelope.sender, *destination, subject_of(told)},
                   whole);
}

bool is_double_bounce(const Envelope& envelope, const DsnRecipient& recipient) {
    return envelope.sender.empty() && recipient.action == DsnAction::failed;
}

std::optional<NewMail> make_postmaster_copy(const Envelope& envelope,
                                            std::string_view original,
                                            std::span<const DsnRecipient> recipients,
                                            const DsnContext& context,
                                            const PostmasterWish& wish) {
    bool const no_sender = envelope.sender.empty();
    std::vector<DsnRecipient> told;
    for (const auto& recipient : recipients) {
        bool const wanted =
            recipient.action == DsnAction::failed ? (no_sender ? wish.double_bounce : wish.bounce)
            : recipient.action == DsnAction::delayed
                ? wish.delay && wants_dsn(envelope, recipient.recipient, recipient.action)
                : false;
        if (wanted && mail::lower(recipient.recipient.address) != mail::lower(wish.address)) {
            told.push_back(recipient);
        }
    }
    auto const destination = mail::ascii_domain(mail::domain_of(wish.address));
    if (told.empty() || !destination) return std::nullopt;
    return compose(envelope,
                   original,
                   told,
                   context,
                   {wish.address, *destination, copy_subject_of(told, no_sender)},
                   false);
}

}  // namespace millrace::relay
