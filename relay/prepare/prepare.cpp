#include "relay/prepare/prepare.hpp"

#include <algorithm>
#include <memory>

#include "common/mail/header_block.hpp"
#include "common/mail/message_id.hpp"
#include "common/mail/received.hpp"
#include "common/policy/body_scan.hpp"
#include "common/policy/edit_block.hpp"
#include "common/policy/framing.hpp"
#include "common/policy/sealed.hpp"
#include "common/policy/value_scan.hpp"
#include "relay/prepare/line_ends.hpp"
#include "relay/prepare/long_lines.hpp"
#include "relay/prepare/smtputf8.hpp"

namespace millrace::relay {

namespace {

using policy::Action;
using policy::Check;
using policy::Edit;
using policy::Verdict;

class Preparation {
  public:
    Preparation(Arrival arrival, const Rules& rules)
        : arrival_(std::move(arrival)), rules_(rules), gate_(*rules.gate) {}

    std::variant<Prepared, Refused> run() {
        if (!arrival_.message.ends_with("\r\n")) arrival_.message += "\r\n";
        read();
        if (check_lines() || check_loop() || check_headers() || check_body()) {
            return std::move(refused_);
        }
        return finish();
    }

  private:
    bool enforcing() const {
        return arrival_.judge != Judge::bystander && gate_.mode == policy::Mode::enforce;
    }

    void read() {
        block_ = mail::parse_header_block(arrival_.message, mail::LineEnd::crlf);
        scan_ = policy::scan_body(std::string_view(arrival_.message).substr(block_.body_offset),
                                  mail::LineEnd::crlf);
    }

    bool refuse(unsigned code, std::string_view enhanced, std::string_view text) {
        refused_.code = code;
        refused_.enhanced = enhanced;
        refused_.text = text;
        refused_.outcome.defects = std::move(outcome_.defects);
        return true;
    }

    bool refuse(const Verdict& verdict) {
        refuse(verdict.code, verdict.enhanced, verdict.text);
        refused_.outcome.verdict = verdict;
        return true;
    }

    // Bare CR, bare LF and zero bytes are nobody's mail to pass on; a header block that breaks off
    // is the gate's matter, and a zero byte of the header may still be mended.
    bool check_lines() {
        policy::Framing framing = policy::check_framing(block_, scan_, gate_);
        outcome_.defects = std::move(framing.defects);
        const bool broken =
            scan_.has_nul || scan_.has_bare_cr || scan_.has_bare_lf || has_broken_line(block_);
        if (framing.verdict.kind == Verdict::Kind::reject && (broken || enforcing())) {
            return refuse(framing.verdict);
        }
        if (broken) {
            // H40 is not set to reject. Whatever it is set to, what we send has only CRLF.
            arrival_.message = with_crlf(arrival_.message);
            read();
            // New lines of the header have appeared, and each is to be a field.
            framing = policy::check_framing(block_, scan_, gate_);
            for (policy::Defect& defect : framing.defects) {
                if (std::ranges::find(outcome_.defects, defect) == outcome_.defects.end()) {
                    outcome_.defects.push_back(std::move(defect));
                }
            }
            if (framing.verdict.kind == Verdict::Kind::reject && enforcing()) {
                return refuse(framing.verdict);
            }
        }
        if (framing.begin_body && enforcing()) {
            arrival_.message.insert(block_.fields_end, "\r\n");
            read();
        }
        return false;
    }

    bool check_loop() {
        if (count_passes(block_.fields, rules_.hostname) >= passes_max) {
            return refuse(554,
                          "5.4.6",
                          "Mail loop: the message has been through " +
                              std::string(rules_.hostname) + ' ' + std::to_string(passes_max) +
                              " times already; the server that it is routed to sends it back. "
                              "Compare relay.routes with what that server takes as its own");
        }
        if (mail::count_received(block_.fields) <= hops_max) return false;
        return refuse(554, "5.4.6", "Too many hops: the message is going round in circles");
    }

    bool check_headers() {
        const policy::Envelope envelope{arrival_.envelope.sender,
                                        arrival_.envelope.account,
                                        arrival_.origin,
                                        arrival_.session.smtputf8,
                                        false};
        policy::Outcome judged =
            policy::evaluate(envelope, block_.fields, gate_, arrival_.invention);
        outcome_.tag = arrival_.tag.empty() ? std::move(judged.tag) : arrival_.tag;
        outcome_.bulk = judged.bulk;
        if (arrival_.judge != Judge::act) {
            outcome_.verdict.kind = Verdict::Kind::untouched;
            return false;
        }
        outcome_.verdict = std::move(judged.verdict);
        outcome_.edits = std::move(judged.edits);
        std::ranges::move(judged.defects, std::back_inserter(outcome_.defects));
        const bool rejected = outcome_.verdict.kind == Verdict::Kind::reject;
        return rejected && enforcing() && refuse(Verdict(outcome_.verdict));
    }

    // H41 and H42.
    bool check_body() {
        if (arrival_.judge == Judge::bystander) return false;
        if (scan_.has_8bit && !arrival_.declared_8bit) {
            if (body_fault(Check::body_8bit, gate_.action(Check::body_8bit), "8-bit body")) {
                return true;
            }
        }
        if (scan_.longest_line <= policy::line_max) return false;
        const auto set = gate_.actions[static_cast<std::size_t>(Check::body_line_too_long)];
        const Action usual =
            rules_.long_lines == LongLines::refuse ? Action::reject : Action::repair;
        const Action action = set.value_or(usual);
        if (body_fault(Check::body_line_too_long, action, "Body line over 998 octets")) return true;
        reencode_ = action == Action::repair && enforcing();
        return false;
    }

    // True when the message is refused for it.
    bool body_fault(Check check, Action action, std::string_view fault) {
        if (action == Action::off) return false;
        const std::string code = policy::code_of(check);
        outcome_.defects.push_back({code, std::string(fault)});
        const bool bounces =
            arrival_.origin == policy::Origin::local || arrival_.envelope.sender.empty();
        if (action != Action::reject || bounces || !enforcing()) return false;
        const policy::CheckRow& row = policy::row_of(check);
        Verdict verdict;
        verdict.kind = Verdict::Kind::reject;
        verdict.code = row.code;
        verdict.enhanced = row.enhanced;
        verdict.text = std::string(fault) + "; " + std::string(row.advice) + " [MR-" + code + ']';
        return refuse(verdict);
    }

    void remove_all(std::string_view name, std::vector<Edit>& edits) const {
        if (name.empty()) return;
        for (auto nth = mail::count_fields(block_.fields, name); nth > 0; --nth) {
            edits.push_back(
                {Edit::Kind::remove, std::string(name), {}, static_cast<unsigned>(nth)});
        }
    }

    std::variant<Prepared, Refused> finish() {
        Envelope& envelope = arrival_.envelope;
        std::vector<Edit> edits;
        if (enforcing()) edits = outcome_.edits;
        if (rules_.remove_bcc) remove_all("Bcc", edits);
        remove_all(rules_.remove, edits);
        const std::string trace =
            received_field(arrival_.session, envelope, rules_.hostname, arrival_.wall);
        std::string message =
            policy::edit_block(arrival_.message, block_, edits, mail::LineEnd::crlf, trace);
        if (const Verdict left = policy::check_edited(message, gate_);
            left.kind == Verdict::Kind::reject) {
            refuse(left);
            return std::move(refused_);
        }
        if (reencode_) reencode(message);
        complete(envelope, message);
        return Prepared{std::move(envelope),
                        std::make_shared<const std::string>(std::move(message)),
                        std::move(outcome_)};
    }

    void reencode(std::string& message) {
        if (policy::is_sealed(block_.fields)) {
            outcome_.defects.push_back({"long-lines-kept", "the message is signed or list mail"});
            return;
        }
        Reencoded result = reencode_long_lines(message);
        if (result.message) {
            message = std::move(*result.message);
        } else {
            outcome_.defects.push_back({"long-lines-kept", std::move(result.reason)});
        }
    }

    void complete(Envelope& envelope, std::string_view message) const {
        const mail::HeaderBlock block = mail::parse_header_block(message, mail::LineEnd::crlf);
        const policy::BodyScan body =
            policy::scan_body(message.substr(block.body_offset), mail::LineEnd::crlf);
        envelope.tag = outcome_.tag;
        if (outcome_.bulk) envelope.klass = Class::bulk;
        envelope.smtputf8 = needs_smtputf8(envelope, block.fields, arrival_.session.smtputf8);
        envelope.body = body.has_8bit ? BodyType::eight_bit : BodyType::seven_bit;
        envelope.message_id.clear();
        if (const auto* field = mail::find_field(block.fields, "Message-ID")) {
            envelope.message_id = mail::first_message_id(field->value);
        }
        envelope.size = message.size();
    }

    Arrival arrival_;
    const Rules& rules_;
    const policy::Settings& gate_;
    mail::HeaderBlock block_;
    policy::BodyScan scan_;
    policy::Outcome outcome_;
    Refused refused_;
    bool reencode_ = false;
};

}  // namespace

std::variant<Prepared, Refused> prepare(Arrival arrival, const Rules& rules) {
    return Preparation(std::move(arrival), rules).run();
}

}  // namespace millrace::relay
