#include "relay/intake/arrival.hpp"

#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/domain.hpp"
#include "relay/intake/mta_trace.hpp"

namespace millrace::relay {

namespace {

using namespace std::chrono_literals;

Notify notify_of(const smtp::NotifyWish& wish) {
    if (!wish.given) return {};
    return {wish.never, wish.success, wish.failure, wish.delay, true};
}

Recipient recipient_of(const smtp::RcptArguments& arguments,
                       const std::string& hostname,
                       config::Profile profile) {
    Recipient recipient;
    recipient.address = arguments.path.address();
    if (arguments.path.domain.empty()) recipient.address += '@' + hostname;
    recipient.destination = destination_of(arguments.path, hostname);
    recipient.orcpt = arguments.orcpt;
    recipient.notify = notify_of(arguments.notify);
    // Beside an MTA the users know its delay notices; a second set would only confuse (design §6).
    const bool unasked = profile == config::Profile::attached && !recipient.notify.given;
    recipient.notify.delay = recipient.notify.delay && !unasked;
    return recipient;
}

// It came into the MTA without SMTP: sendmail(1), cron, a list that hands its mail back. A refusal
// would be a bounce, as in the milter.
bool is_local(const smtp::Forwarded& forwarded) {
    return mail::lower(forwarded.source) == "local";
}

// The MTA's client is one of the operator's side: local, or a client trusted here too.
bool is_ours(const smtp::Forwarded& forwarded, const config::Listener& listener) {
    if (is_local(forwarded) || forwarded.address.empty()) return true;
    boost::system::error_code fault;
    const Address address = boost::asio::ip::make_address(forwarded.address, fault);
    return !fault && std::ranges::any_of(listener.trusted, [&](const Network4or6& network) {
        return network.contains(address);
    });
}

Session session_of(const Reception& reception) {
    Session session;
    session.helo = reception.helo;
    Address address = reception.client.address;
    if (address.is_v6() && address.to_v6().is_v4_mapped()) {
        address = boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6());
    }
    session.client_address = address.to_string();
    session.extended = reception.extended;
    session.smtputf8 = reception.transaction.mail.smtputf8;
    if (reception.tls) {
        session.tls_protocol = reception.tls->protocol;
        session.tls_cipher = reception.tls->cipher;
    }
    return session;
}

// What the attached MTA's own trace field says, when it can be true. A message older than the
// queue's life time gets one attempt, as in the MTA's own queue: that age must be the MTA's word,
// under the name it gives us. An old message that somebody hands in directly carries old fields of
// others.
void read_trace(const Reception& reception, std::string_view message, Envelope& envelope) {
    const MtaTrace trace = read_mta_trace(message);
    if (envelope.mta_queue_id.empty()) envelope.mta_queue_id = trace.queue_id;
    if (!trace.taken) return;
    const Duration age = std::chrono::seconds(unix_seconds(reception.wall) - *trace.taken);
    const bool its_own = !trace.by.empty() && trace.by == mail::lower(reception.helo);
    if (age > 0s && (its_own || age < reception.settings.relay.delivery.expire_after)) {
        envelope.born = reception.now - age;
    }
}

// What the milter has told stands above all guesses. XFORWARD may know the client's name too.
void believe(const handover::Handover& handed, const smtp::Forwarded& forwarded, Arrival& arrival) {
    Envelope& envelope = arrival.envelope;
    envelope.account = smtp::harmless(account_of(handed));
    envelope.mta_queue_id = smtp::harmless(handed.queue_id);
    if (forwarded.address.empty() || forwarded.address != handed.client) {
        envelope.client = smtp::harmless(client_text(handed));
    }
    arrival.origin = handed.origin;
    // Under another sender than the milter saw, other rules may hold.
    const bool same_sender = handed.sender == handover::digest_of(envelope.sender);
    arrival.judge = handed.verdict != handover::Verdict::judged ? Judge::bystander
                    : same_sender                               ? Judge::judged
                                                                : Judge::act;
    arrival.tag = handed.tag;
}

}  // namespace

bool believes_handovers(const config::Settings& settings, const config::Listener& listener) {
    return listener.profile == config::Profile::attached && !settings.relay.handover_secret.empty();
}

std::string client_text(const smtp::Forwarded& forwarded, const Endpoint& client) {
    if (forwarded.address.empty()) {
        if (mail::lower(forwarded.source) == "local") return "local";
        return "unknown [" + client.address.to_string() + ']';
    }
    const std::string name = forwarded.name.empty() ? "unknown" : smtp::harmless(forwarded.name);
    return name + " [" + smtp::harmless(forwarded.address) + ']';
}

std::string destination_of(const mail::Path& path, const std::string& hostname) {
    const std::string& domain = path.domain.empty() ? hostname : path.domain;
    // A domain with an underscore is no host name, and still one may have mail.
    return mail::ascii_domain(domain).value_or(mail::lower(domain));
}

Arrival make_arrival(const Reception& reception, std::string message) {
    const smtp::MailArguments& mail = reception.transaction.mail;
    const bool attached = reception.listener.profile == config::Profile::attached;
    Arrival arrival;
    Envelope& envelope = arrival.envelope;
    envelope.id = reception.id;
    envelope.sender = mail.path.address();
    for (const smtp::RcptArguments& recipient : reception.transaction.recipients) {
        envelope.recipients.push_back(
            recipient_of(recipient, reception.settings.relay.hostname, reception.listener.profile));
    }
    envelope.account = unattributed;
    envelope.ret = mail.ret;
    envelope.envid = mail.envid;
    envelope.received = reception.now;
    envelope.born = reception.now;
    envelope.client = client_text(reception.forwarded, reception.client);
    envelope.mta_queue_id = smtp::harmless(reception.forwarded.ident);
    if (attached && reception.trusted) read_trace(reception, message, envelope);

    arrival.message = std::move(message);
    const bool ours = is_ours(reception.forwarded, reception.listener);
    arrival.origin = !ours                           ? policy::Origin::smtp
                     : is_local(reception.forwarded) ? policy::Origin::local
                                                     : policy::Origin::submission;
    arrival.judge = ours ? Judge::act : Judge::bystander;
    if (reception.handed) believe(*reception.handed, reception.forwarded, arrival);
    arrival.declared_8bit = mail.body == smtp::BodyKind::eight_bit_mime;
    arrival.session = session_of(reception);
    arrival.wall = reception.wall;
    return arrival;
}

Rules rules_of(const config::Settings& settings, const config::Listener& listener) {
    const bool attached = listener.profile == config::Profile::attached;
    Rules rules;
    rules.gate = &settings.gate;
    rules.hostname = settings.relay.hostname;
    rules.long_lines = attached ? LongLines::reencode : LongLines::refuse;
    rules.remove_bcc = !attached;
    rules.remove = handover::field_name;
    return rules;
}

namespace {

/// As Work::sender_domain has it. A domain that is none stays as it is written.
std::string sender_domain_of(const std::string& sender) {
    if (sender.empty()) return "<>";
    auto const domain = mail::domain_of(sender);
    auto const ascii = mail::ascii_domain(domain);
    return ascii ? *ascii : mail::lower(domain);
}

}  // namespace

NewMail new_mail(Prepared prepared, Time now) {
    NewMail mail;
    const Envelope& envelope = prepared.envelope;
    auto const sender_domain = sender_domain_of(envelope.sender);
    for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
        Work work;
        work.key = {envelope.id, static_cast<std::uint16_t>(i)};
        work.destination = envelope.recipients[i].destination;
        work.recipient = envelope.recipients[i].address;
        work.due = now;
        work.born = envelope.born;
        work.klass = envelope.klass;
        work.account = envelope.account;
        work.sender_domain = sender_domain;
        mail.works.push_back(std::move(work));
    }
    mail.envelope = std::move(prepared.envelope);
    mail.body = std::move(prepared.body);
    return mail;
}

std::size_t slow_down(NewMail& mail, Pace& pace, Time now) {
    std::size_t waiting = 0;
    for (Work& work : mail.works) {
        work.due = pace.take(now);
        if (work.due <= now) continue;
        work.last_reply = "account " + work.account + " is limited to " +
                          std::to_string(pace.per_hour()) +
                          " recipients an hour (relay.limits.unattributed_per_hour)";
        ++waiting;
    }
    return waiting;
}

}  // namespace millrace::relay
