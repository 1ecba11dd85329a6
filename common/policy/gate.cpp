#include "common/policy/gate.hpp"

#include "common/policy/checks.hpp"
#include "common/policy/sealed.hpp"

namespace millrace::policy {

Outcome evaluate(const Envelope& envelope,
                 std::span<const mail::HeaderField> fields,
                 const Settings& settings,
                 const Invention& invention) {
    Draft draft(fields);
    const bool bounces = envelope.origin == Origin::local || envelope.mail_from.empty();
    Findings findings(settings,
                      bounces ? Findings::Manner::lenient : Findings::Manner::strict,
                      is_sealed(draft) ? Findings::Touch::never : Findings::Touch::allowed);
    Desk desk{envelope, settings, invention, draft, findings};
    Outcome outcome;
    const bool fits = check_size(desk);
    if (!findings.refused()) {
        check_required(desk);
        check_from_repeated(desk);
        check_text(desk);
        check_structured(desk);
        check_addresses(desk);
        check_date(desk);
        check_message_id(desk);
        check_repeated(desk);
        check_mime(desk);
        outcome.tag = check_tag(desk);
        check_sender(desk);
        outcome.bulk = is_bulk(draft);
        if (fits) check_size(desk);  // encoding makes longer: what we make must fit, too
    }
    outcome.verdict = findings.verdict();
    if (!findings.refused()) outcome.edits = draft.edits();
    outcome.defects = findings.take_defects();
    return outcome;
}

}  // namespace millrace::policy
