#include "milter/session.hpp"

#include <algorithm>

#include "common/mail/address.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/message_id.hpp"

namespace millrace::milter {
namespace {

/// A message's buffers are kept for the next one up to this size: a session may idle for hours.
constexpr std::size_t buffer_kept = 64 << 10;
/// More destinations than this of one message are not told apart in the log.
constexpr std::size_t destinations_max = 100;
constexpr std::size_t authors_max = 10;

std::string_view word(policy::Origin origin) {
    switch (origin) {
        case policy::Origin::submission:
            return "submission";
        case policy::Origin::local:
            return "local";
        case policy::Origin::smtp:
            break;
    }
    return "smtp";
}

/// Nobody but us writes the handover field: one that came with the message is forged.
void remove_forged(std::span<const mail::HeaderField> fields, policy::Outcome& outcome) {
    const std::size_t forged = mail::count_fields(fields, handover::field_name);
    if (forged == 0 || outcome.verdict.kind == policy::Verdict::Kind::untouched) {
        return;
    }
    for (std::size_t nth = forged; nth > 0; --nth) {
        outcome.edits.push_back({.kind = policy::Edit::Kind::remove,
                                 .name = std::string(handover::field_name),
                                 .value = {},
                                 .nth = static_cast<unsigned>(nth)});
    }
    outcome.defects.push_back({"handover-forged", "X-Millrace-Handover came with the message"});
}

}  // namespace

void Session::connect(const Client& client) {
    abort();
    sendmail_ = !client.mta.starts_with("Postfix");
    client_ = client.address;
}

void Session::begin(const MailCommand& command, PinnedRules rules) {
    abort();
    in_message_ = true;
    std::string_view sender = command.sender;
    brackets_ = sender.starts_with('<') && sender.ends_with('>');
    if (brackets_) {
        sender = sender.substr(1, sender.size() - 2);
    }
    sender_ = sender;
    resolved_sender_ = sendmail_ || command.resolved.empty() ? sender : command.resolved;
    account_ = command.account;
    smtputf8_ = std::ranges::any_of(command.parameters, [](std::string_view parameter) {
        return mail::same_name(parameter, "SMTPUTF8");
    });
    rules_ = std::move(rules);
}

void Session::recipient(std::string_view path, std::string_view mailer) {
    ++recipients_;
    elsewhere_ = elsewhere_ || !rules_ || !rules_->leads_to_relay(mailer);
    const auto at = path.rfind('@');
    if (at == std::string_view::npos || to_.size() >= destinations_max) {
        return;
    }
    std::string_view domain = path.substr(at + 1);
    domain = domain.substr(0, domain.find_first_of("> "));
    ++to_[mail::ascii_domain(domain).value_or(mail::lower(domain))];
}

void Session::header(std::string_view name, std::string_view value) {
    if (overflow_ || bytes_.size() + name.size() + value.size() > block_max) {
        overflow_ = true;
        return;
    }
    bytes_.append(name).append(value);
    extents_.push_back(
        {static_cast<std::uint32_t>(name.size()), static_cast<std::uint32_t>(value.size())});
}

void Session::abort() {
    in_message_ = brackets_ = smtputf8_ = overflow_ = elsewhere_ = false;
    recipients_ = 0;
    to_.clear();
    sender_.clear();
    resolved_sender_.clear();
    account_.clear();
    bytes_.clear();
    extents_.clear();
    if (bytes_.capacity() > buffer_kept) {
        bytes_.shrink_to_fit();
        extents_.shrink_to_fit();
    }
    rules_.reset();
}

Decision Session::end_of_message(std::string_view queue_id,
                                 const policy::Invention& invention,
                                 Time wall) {
    const policy::Origin from = origin();
    const bool ours = from != policy::Origin::smtp;
    const bool covered = rules_ && rules_->covers(sender_, to_);
    Decision decision =
        overflow_ && ours && covered ? too_large() : judge({queue_id, invention, wall});
    Report& report = decision.report;
    report.queue_id = queue_id;
    report.origin = word(from);
    report.account = account_;
    report.sender = sender_;
    report.recipients = recipients_;
    if (ours) {
        describe(report);
    }
    if (decision.reply.kind != Reply::Kind::accept) {
        report.reply =
            decision.reply.code + " " + decision.reply.enhanced + " " + decision.reply.text;
    }
    abort();
    return decision;
}

Decision Session::judge(const Ending& ending) const {
    Decision decision;
    if (!rules_) {  // end-of-message without MAIL: not of this protocol
        decision.reply = trouble();
        decision.report.verdict = "tempfail";
        return decision;
    }
    if (origin() == policy::Origin::smtp || !rules_->covers(sender_, to_)) {
        return pass_untouched(ending);
    }
    const policy::Envelope envelope{.mail_from = sender_,
                                    .account = account_,
                                    .origin = origin(),
                                    .smtputf8 = smtputf8_,
                                    .mta_adds_message_id = sendmail_};
    const std::vector<mail::HeaderField> block = fields();
    policy::Outcome outcome = policy::evaluate(envelope, block, rules_->gate, ending.invention);
    remove_forged(block, outcome);
    Report& report = decision.report;
    report.tag = outcome.tag;
    report.defects = std::move(outcome.defects);
    report.edits = outcome.edits.size();
    report.changes = outcome.edits;

    using Kind = policy::Verdict::Kind;
    const bool would =
        rules_->gate.mode == policy::Mode::report_only && outcome.verdict.kind != Kind::untouched;
    switch (outcome.verdict.kind) {
        case Kind::untouched:
            report.verdict = "untouched";
            return decision;
        case Kind::accept:
            report.verdict = would ? "would-accept" : "accept";
            break;
        case Kind::reject:
            report.verdict = would ? "would-reject" : "reject";
            break;
    }
    if (would) {
        return decision;
    }
    if (outcome.verdict.kind == Kind::reject) {
        report.edits = 0;
        report.changes.clear();
        decision.reply = {Reply::Kind::reject,
                          std::to_string(outcome.verdict.code),
                          outcome.verdict.enhanced,
                          outcome.verdict.text};
        return decision;
    }
    if (auto edit = handover(handover::Verdict::judged, report.tag, ending)) {
        outcome.edits.push_back(*std::move(edit));
    }
    if (auto plan = plan_edits(outcome.edits, block)) {
        decision.operations = std::move(*plan);
    } else {
        decision.reply = trouble();
        report.verdict = "tempfail";
        report.defects.push_back({"internal", plan.error().detail});
    }
    return decision;
}

/// Foreign mail keeps every byte; the relay is only told that it is foreign.
Decision Session::pass_untouched(const Ending& ending) const {
    Decision decision;
    decision.report.verdict = "untouched";
    if (const auto edit = handover(handover::Verdict::untouched, {}, ending)) {
        if (auto plan = plan_edits({&*edit, 1}, fields())) {
            decision.operations = std::move(*plan);
        }
    }
    return decision;
}

/// Only in enforce mode, and only when no copy of the message stays here or goes another way: its
/// copies would differ, and people would see the field.
std::optional<policy::Edit> Session::handover(handover::Verdict verdict,
                                              std::string_view tag,
                                              const Ending& ending) const {
    if (rules_->gate.mode != policy::Mode::enforce || rules_->handover_secret.empty() ||
        overflow_ || recipients_ == 0 || elsewhere_) {
        return std::nullopt;
    }
    const handover::Handover told{.time = unix_seconds(ending.wall),
                                  .queue_id = std::string(ending.queue_id),
                                  .account = account_,
                                  .client = client_,
                                  .origin = origin(),
                                  .verdict = verdict,
                                  .tag = std::string(tag),
                                  .sender = handover::digest_of(resolved_sender_)};
    policy::Edit edit{.kind = policy::Edit::Kind::append,
                      .name = std::string(handover::field_name),
                      .value = handover::field_value(told, rules_->handover_secret)};
    return edit.value.empty() ? std::nullopt : std::optional(std::move(edit));
}

Decision Session::too_large() const {
    Decision decision;
    decision.report.tag = "email";
    decision.report.defects.push_back({"H31", "Header block too large"});
    if (rules_->gate.mode == policy::Mode::report_only) {
        decision.report.verdict = "would-reject";
        return decision;
    }
    decision.reply = {
        Reply::Kind::reject, "552", "5.3.4", "Header block too large: shorten the header fields"};
    decision.report.verdict = "reject";
    return decision;
}

/// What a person looks for in the log: whose message it was, and where it goes.
void Session::describe(Report& report) const {
    report.client = client_;
    report.to = to_;
    const std::vector<mail::HeaderField> block = fields();
    if (const auto* id = mail::find_field(block, "Message-ID")) {
        report.message_id = mail::first_message_id(id->value);
    }
    const auto* from = mail::find_field(block, "From");
    const auto list = mail::parse_addresses(from != nullptr ? from->value : std::string_view(),
                                            mail::Reading::lenient);
    for (const mail::Mailbox& author : list ? list->mailboxes() : std::vector<mail::Mailbox>{}) {
        std::string domain = mail::ascii_domain(author.domain).value_or(mail::lower(author.domain));
        if (std::ranges::find(report.from, domain) == report.from.end() &&
            report.from.size() < authors_max) {
            report.from.push_back(std::move(domain));
        }
    }
}

std::vector<mail::HeaderField> Session::fields() const {
    std::vector<mail::HeaderField> out;
    out.reserve(extents_.size());
    std::string_view rest = bytes_;
    for (const Extent& extent : extents_) {
        out.push_back(
            {rest.substr(0, extent.name_size), rest.substr(extent.name_size, extent.value_size)});
        rest.remove_prefix(std::size_t{extent.name_size} + extent.value_size);
    }
    return out;
}

/// Whose mail it is (design §6). Postfix shows mail without SMTP (pickup) as a client on 127.0.0.1
/// and gives its sender without brackets; Sendmail has no client address there.
policy::Origin Session::origin() const {
    if (!brackets_ || client_.empty()) {
        return policy::Origin::local;
    }
    const bool ours = !account_.empty() || (rules_ && rules_->trusts(client_));
    return ours ? policy::Origin::submission : policy::Origin::smtp;
}

}  // namespace millrace::milter
