#include "common/policy/framing.hpp"

#include <algorithm>

#include "common/policy/findings.hpp"

namespace millrace::policy {

namespace {

using enum Findings::Remedy;
using Kind = mail::HeaderDefect::Kind;

bool has(const mail::HeaderBlock& block, Kind kind) {
    return std::ranges::find(block.defects, kind, &mail::HeaderDefect::kind) != block.defects.end();
}

// No next hop takes it, and C programs on the way would cut the message there.
void refuse_zero_byte(Findings& findings) {
    findings.refuse(550, "5.6.0", "Zero byte in the message; encode binary parts", "H40");
}

}  // namespace

Framing check_framing(const mail::HeaderBlock& block,
                      const BodyScan& body,
                      const Settings& settings) {
    Framing framing;
    Findings findings(settings, Findings::Manner::strict, Findings::Touch::allowed);
    if (has(block, Kind::nul)) findings.remark("nul", "zero byte in the header");
    if (body.has_nul) {
        findings.remark("nul", "zero byte in the body");
        refuse_zero_byte(findings);
    }
    if (body.has_bare_cr || has(block, Kind::bare_cr)) {
        framing.normalise = findings.fault(
            Check::bare_line_end, "bare CR", "Bare carriage return (CR) in the message", possible);
    }
    if (body.has_bare_lf || has(block, Kind::bare_lf)) {
        framing.normalise |= findings.fault(
            Check::bare_line_end, "bare LF", "Bare line feed (LF) in the message", possible);
    }
    if (has(block, Kind::no_colon) || has(block, Kind::stray_fold) || has(block, Kind::name_8bit)) {
        framing.begin_body = findings.fault(Check::no_colon,
                                            "a line of the header block is no field",
                                            "Malformed header line without a field name",
                                            possible);
    }
    if (has(block, Kind::mbox_line)) findings.remark("mbox-line", "a From_ line stands at the top");
    framing.verdict = findings.verdict();
    framing.defects = findings.take_defects();
    return framing;
}

Verdict check_edited(std::string_view message, const Settings& settings) {
    Findings findings(settings, Findings::Manner::strict, Findings::Touch::never);
    if (message.find('\0') != std::string_view::npos) refuse_zero_byte(findings);
    return findings.verdict();
}

}  // namespace millrace::policy
