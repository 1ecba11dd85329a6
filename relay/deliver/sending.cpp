// One message over an open conversation: MAIL, RCPT, DATA, the message, the dot.
#include <algorithm>

#include "common/base/check.hpp"
#include "common/mail/header_block.hpp"
#include "common/smtp/data_writer.hpp"
#include "relay/deliver/conversation.hpp"
#include "relay/deliver/seven_bit.hpp"
#include "relay/deliver/timeouts.hpp"

namespace millrace::relay {

namespace {

// The most anybody should have to take at once (RFC 5321 §4.5.3.1.8).
constexpr unsigned recipients_usual = 100;
constexpr std::size_t block_size = 64 * 1024;

/// Bytes that would end the command they stand in. The door refuses them; this is the last lock.
bool breaks_commands(std::string_view address) {
    return std::ranges::any_of(
        address, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

/// RFC 5321 §4.5.3.1.10: 552 to RCPT has always been used for this, and means 452.
bool is_too_many_recipients(const smtp::Reply& reply) {
    if (reply.enhanced.ends_with(".5.3")) return true;
    return reply.code == 552 &&
           mail::same_name(reply.lines.empty() ? "" : reply.lines.front().substr(0, 19),
                           "too many recipients");
}

std::string notify_words(const Notify& notify) {
    if (notify.never) return "NEVER";
    std::string words;
    for (auto const& [wanted, word] : {std::pair{notify.success, "SUCCESS"},
                                       std::pair{notify.failure, "FAILURE"},
                                       std::pair{notify.delay, "DELAY"}}) {
        if (!wanted) continue;
        if (!words.empty()) words += ',';
        words += word;
    }
    return words.empty() ? "NEVER" : words;
}

}  // namespace

struct Conversation::Delivery {
    Transaction what;
    Body body;  ///< as it goes out
    std::vector<std::optional<RecipientOutcome>> outcomes;
    std::vector<std::size_t> accepted;
    bool go_ahead = false;  ///< 354

    /// For everybody whose fate is still open.
    void settle(const RecipientOutcome& outcome) {
        for (auto& open : outcomes) {
            if (!open) open = outcome;
        }
    }
};

Task<std::vector<RecipientOutcome>> Conversation::send(Transaction transaction) {
    auto const delivery = std::make_shared<Delivery>();
    delivery->what = std::move(transaction);
    delivery->body = delivery->what.body;
    delivery->outcomes.resize(delivery->what.recipients.size());
    if (options_.transcript) options_.transcript->carries(delivery->what.label);
    auto const at = delivery->what.sender.rfind('@');
    sender_domain_ = at == std::string::npos ? "" : delivery->what.sender.substr(at + 1);

    if (!wire_ || wire_->disturbed() || closing_ || !may_send()) {
        auto unheard = refusal(dead(Phase::mail, {Fault::closed, "the connection has ended"}));
        // On a new connection it costs an attempt: else a server that does so always would be asked
        // again and again.
        unheard.untried = used_ || !may_send();
        delivery->settle(unheard);
        abort();
    } else if (auto const why = obstacle(*delivery)) {
        delivery->settle(*why);
    } else if (auto const dirty = co_await reset()) {
        // Whatever RSET was answered, it says nothing about this message.
        auto unheard = refusal(*dirty);
        unheard.kind = OutcomeKind::deferred;
        unheard.enhanced = enhanced_for(OutcomeKind::deferred, unheard.enhanced, "4.5.0");
        unheard.untried = true;
        delivery->settle(unheard);
    } else {
        co_await offer(delivery);
        if (delivery->go_ahead && !delivery->accepted.empty()) co_await transfer(delivery);
        if (delivery->go_ahead && delivery->accepted.empty()) co_await send_nothing();
    }
    used_ = true;
    if (options_.transcript) options_.transcript->carries({});

    std::vector<RecipientOutcome> outcomes;
    for (auto& outcome : delivery->outcomes) {
        MILLRACE_CHECK(outcome.has_value());
        outcome->host = host_;
        outcomes.push_back(std::move(*outcome));
    }
    co_return outcomes;
}

std::optional<RecipientOutcome> Conversation::obstacle(Delivery& delivery) const {
    auto const never = [](const char* enhanced, std::string text, Blame blame) {
        RecipientOutcome outcome;
        outcome.kind = OutcomeKind::bounced;
        outcome.enhanced = enhanced;
        outcome.text = std::move(text);
        outcome.typed = Typed::of(blame);
        return outcome;
    };
    auto const& what = delivery.what;
    if (breaks_commands(what.sender)) {
        return never("5.1.7", "The sender's address holds control characters", Blame::sender);
    }
    for (std::size_t i = 0; i < what.recipients.size(); ++i) {
        if (!breaks_commands(what.recipients[i].address)) continue;
        delivery.outcomes[i] =
            never("5.1.3", "The recipient's address holds control characters", Blame::recipient);
    }
    if (what.smtputf8 && !(offers_.smtputf8 && offers_.eight_bit_mime)) {
        return never("5.6.7",
                     "The message needs SMTPUTF8, which the receiving server does not offer",
                     Blame::content);
    }
    if (what.body_type != BodyType::seven_bit && !offers_.eight_bit_mime) {
        auto converted = to_seven_bit(*what.body);
        if (!converted) {
            return never("5.6.3",
                         "The message holds 8-bit data that the receiving server does not take and "
                         "that cannot be converted",
                         Blame::content);
        }
        delivery.body = std::make_shared<const std::string>(std::move(*converted));
    }
    if (offers_.size_max > 0 && delivery.body->size() > offers_.size_max) {
        return never("5.3.4",
                     "The message has " + std::to_string(delivery.body->size()) +
                         " bytes; the receiving server takes " + std::to_string(offers_.size_max),
                     Blame::content);
    }
    return std::nullopt;
}

/// What an earlier message left open is closed, before anything new is said.
Task<Step> Conversation::reset() {
    if (!begun_) co_return std::nullopt;
    auto const answer = co_await ask("RSET", timeouts::reset);
    if (!answer) co_return dead(Phase::reset, answer.error());
    if (!answer->positive()) {
        wire_->close();
        co_return no(Phase::reset, *answer);
    }
    begun_ = false;
    co_return std::nullopt;
}

/// MAIL, RCPT and DATA: in one segment where the server allows it (RFC 2920), else one by one.
Task<void> Conversation::offer(Shared delivery) {
    bool const together = offers_.pipelining;
    auto commands = mail_command(*delivery);
    if (together) {
        for (std::size_t i = 0; i < delivery->outcomes.size(); ++i) {
            if (!delivery->outcomes[i]) commands += rcpt_command(delivery->what.recipients[i]);
        }
        commands += "DATA\r\n";
    }
    begun_ = true;
    auto const wire = wire_;
    co_await wire->say(std::move(commands), timeouts::mail);
    auto const answer = co_await wire->reply(timeouts::mail);
    if (!answer) {
        auto lost = refusal(dead(Phase::mail, answer.error()));
        // The server had tired of waiting; it has not seen this message.
        lost.untried = used_ && (answer.error().fault == Fault::closed ||
                                 answer.error().fault == Fault::reset);
        delivery->settle(lost);
        co_return;
    }
    if (answer->intermediate()) {
        delivery->settle(refusal(nonsense(Phase::mail, *answer)));
        co_return;
    }
    bool const refused = !answer->positive();
    if (refused) {
        auto const why = no(Phase::mail, *answer);
        closing_ = why.lost;
        std::vector<bool> skipped;
        for (auto const& outcome : delivery->outcomes)
            skipped.push_back(outcome.has_value());
        delivery->settle(refusal(why));
        if (!together) begun_ = false;
        if (!together || closing_) co_return;
        // Every command gets its reply, also those that came to nothing.
        for (bool const skip : skipped) {
            if (skip) continue;
            auto const idle = co_await wire->reply(timeouts::rcpt);
            if (!idle || idle->intermediate()) {
                wire->close();
                co_return;
            }
        }
        co_await hear_data(delivery);
        co_return;
    }
    ++transactions_;
    co_await hear_recipients(delivery, together);
    // A connection that broke while the last replies were read is heard of by asking for the next.
    if (closing_) co_return;
    if (!together) {
        if (delivery->accepted.empty()) co_return;
        co_await wire->say("DATA\r\n", timeouts::data);
    }
    co_await hear_data(delivery);
}

Task<void> Conversation::hear_recipients(Shared delivery, bool together) {
    auto const wire = wire_;
    for (std::size_t i = 0; i < delivery->outcomes.size(); ++i) {
        if (delivery->outcomes[i]) continue;  // never said
        if (!together) {
            co_await wire->say(rcpt_command(delivery->what.recipients[i]), timeouts::rcpt);
        }
        auto const answer = co_await wire->reply(timeouts::rcpt);
        if (!answer) {
            delivery->settle(refusal(dead(Phase::rcpt, answer.error())));
            co_return;
        }
        if (answer->intermediate()) {
            delivery->settle(refusal(nonsense(Phase::rcpt, *answer)));
            co_return;
        }
        if (answer->positive()) {
            delivery->accepted.push_back(i);
            continue;
        }
        auto const why = no(Phase::rcpt, *answer);
        if (why.lost) {
            closing_ = true;
            delivery->settle(refusal(why));
            co_return;
        }
        auto outcome = refusal(why);
        if (is_too_many_recipients(*answer)) {
            outcome.kind = OutcomeKind::deferred;
            outcome.enhanced = "4.5.3";
            outcome.typed = {};
        }
        delivery->outcomes[i] = std::move(outcome);
    }
}

Task<void> Conversation::hear_data(Shared delivery) {
    auto const wire = wire_;
    auto const answer = co_await wire->reply(timeouts::data);
    if (!answer) {
        delivery->settle(refusal(dead(Phase::data, answer.error())));
    } else if (answer->intermediate()) {
        delivery->go_ahead = true;
    } else if (answer->positive()) {
        delivery->settle(refusal(nonsense(Phase::data, *answer)));
    } else {
        auto const why = no(Phase::data, *answer);
        closing_ = why.lost;
        delivery->settle(refusal(why));
    }
}

/// The message. Until the write that holds the final dot the receiver cannot have it.
Task<void> Conversation::transfer(Shared delivery) {
    auto const wire = wire_;
    auto const body = delivery->body;
    smtp::DataWriter writer(*body);
    std::string piece;
    while (writer.next(piece, block_size)) {
        if (wire->disturbed()) {
            interrupted(*delivery, {Fault::invalid, "the server answered before the end of data"});
            co_return;
        }
        if (writer.finished() && !may_send()) {
            auto unheard = refusal(dead(Phase::dot, {Fault::cancelled, "may not send any more"}));
            unheard.untried = true;
            delivery->settle(unheard);
            wire->close();
            co_return;
        }
        auto const written = co_await wire->send(std::move(piece), timeouts::block);
        piece.clear();
        if (writer.finished()) break;
        if (!written) {
            interrupted(*delivery, written.error());
            co_return;
        }
    }
    co_await hear_verdict(delivery);
}

Task<void> Conversation::hear_verdict(Shared delivery) {
    auto const wire = wire_;
    auto const answer = co_await wire->reply(timeouts::dot);
    if (!answer || answer->intermediate()) {
        auto unsure =
            refusal(answer ? nonsense(Phase::dot, *answer) : dead(Phase::dot, answer.error()));
        unsure.possible_duplicate = true;
        delivery->settle(unsure);
        co_return;
    }
    begun_ = false;
    auto const why = no(Phase::dot, *answer);
    closing_ = why.lost;
    auto verdict = refusal(why);
    if (answer->positive()) {
        ++delivered_;
        verdict.kind = OutcomeKind::delivered;
        verdict.enhanced = enhanced_for(OutcomeKind::delivered, answer->enhanced, "2.0.0");
        verdict.dsn_passed_on = offers_.dsn;
    }
    delivery->settle(verdict);
}

/// The server said something, or went, in the middle of the message. A refusal is a refusal, early
/// or not; anything else leaves nothing but to go.
void Conversation::interrupted(Delivery& delivery, const Failure& why) {
    auto const early = wire_->early_reply();
    if (early && (early->temporary() || early->permanent())) {
        delivery.settle(refusal(no(Phase::body, *early)));
    } else {
        delivery.settle(refusal(dead(Phase::body, why)));
    }
    wire_->close();
}

/// 354, though no recipient was accepted (RFC 2920 §3.1): an empty message ends it.
Task<void> Conversation::send_nothing() {
    auto const answer = co_await ask(".", timeouts::dot);
    if (!answer || answer->intermediate()) {
        wire_->close();
    } else {
        begun_ = false;
        closing_ = answer->code == 421;
    }
}

std::string Conversation::mail_command(const Delivery& delivery) const {
    auto const& what = delivery.what;
    std::string command = "MAIL FROM:<" + what.sender + ">";
    if (offers_.size) command += " SIZE=" + std::to_string(delivery.body->size());
    if (offers_.eight_bit_mime && what.body_type != BodyType::seven_bit)
        command += " BODY=8BITMIME";
    if (what.smtputf8) command += " SMTPUTF8";
    if (offers_.dsn) {
        if (!what.ret.empty()) command += " RET=" + what.ret;
        if (!what.envid.empty()) command += " ENVID=" + what.envid;
    }
    return command + "\r\n";
}

std::string Conversation::rcpt_command(const Recipient& recipient) const {
    std::string command = "RCPT TO:<" + recipient.address + ">";
    if (offers_.dsn) {
        if (recipient.notify.given) command += " NOTIFY=" + notify_words(recipient.notify);
        if (!recipient.orcpt.empty()) command += " ORCPT=" + recipient.orcpt;
    }
    return command + "\r\n";
}

RecipientOutcome Conversation::refusal(const Setback& why) const {
    RecipientOutcome outcome;
    bool const final = why.code >= 500 && !why.typed.defers;
    outcome.kind = final ? OutcomeKind::bounced : OutcomeKind::deferred;
    outcome.phase = why.phase;
    outcome.code = why.code;
    outcome.enhanced = enhanced_for(outcome.kind, why.enhanced, "5.0.0");
    outcome.text = why.code == 0 ? std::string(to_string(why.phase)) + ": " + why.text : why.text;
    outcome.typed = why.typed;
    outcome.hung_up = why.hung_up;
    // On the first message of a connection it cannot mean this connection: a new one at once would
    // be answered the same.
    if (why.typed.blame == Blame::messages_per_connection && !used_) {
        outcome.typed.blame = Blame::rate;
        outcome.typed.axis = Axis::source;
    }
    return outcome;
}

bool Conversation::reusable() const {
    if (!wire_ || closing_ || wire_->disturbed()) return false;
    // A limit of nothing is no limit (RFC 9422 §4).
    auto const most = offers_.mail_max.value_or(0);
    return most == 0 || transactions_ < most;
}

unsigned Conversation::recipients_max() const {
    auto const most = offers_.rcpt_max.value_or(0);
    if (most == 0 || most > recipients_usual) return recipients_usual;
    return static_cast<unsigned>(most);
}

std::string Conversation::tls_protocol() const {
    if (!wire_) return {};
    auto const info = wire_->stream().tls();
    return info ? info->protocol : std::string();
}

Task<void> Conversation::quit() {
    if (wire_ && wire_->open() && !wire_->disturbed() && !closing_) {
        co_await ask("QUIT", timeouts::quit);
    }
    part();
}

}  // namespace millrace::relay
