#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "common/mail/header_block.hpp"
#include "tests/unit/policy/properties.hpp"

// Goal: no header block, under no settings, makes the gate break one of its promises. The first
// bytes choose envelope and settings, the rest is a message (CRLF when the first byte says so).
namespace {

using namespace millrace;
using namespace millrace::policy;

void expect(const std::optional<std::string>& fault) {
    if (!fault) return;
    std::fprintf(stderr, "%s\n", fault->c_str());
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t head = 4;
    if (size < head) return 0;
    Settings settings;
    settings.sender = (data[0] & 1) != 0 ? "postmaster@relay.example.net" : "";
    if ((data[0] & 2) != 0) settings.known.push_back(*parse_known_sender("example.com"));
    if ((data[0] & 4) != 0) settings.unverified_from = UnverifiedFrom::reject;
    const bool defaults = (data[0] & 8) == 0;
    unsigned turn = data[1];
    for (const CheckRow& row : check_table()) {
        turn = turn * 31 + 7;
        if (!defaults) {
            settings.actions[static_cast<std::size_t>(row.check)] =
                static_cast<Action>((turn >> 3) % 4);
        }
    }
    Envelope envelope;
    envelope.origin = static_cast<Origin>(data[2] % 3);
    envelope.mail_from = (data[2] & 16) != 0 ? "" : "app@example.com";
    envelope.smtputf8 = (data[2] & 32) != 0;
    envelope.mta_adds_message_id = (data[2] & 64) != 0;
    settings.trigger = static_cast<SenderTrigger>(data[3] % 3);
    const mail::LineEnd line_end = (data[3] & 8) != 0 ? mail::LineEnd::crlf : mail::LineEnd::lf;

    const std::string message(reinterpret_cast<const char*>(data) + head, size - head);
    const mail::HeaderBlock block = mail::parse_header_block(message, line_end);
    const Invention invention{"Tue, 24 Nov 2026 08:15:30 +0000", "unique"};
    const bool strict = defaults && envelope.origin != Origin::local && !envelope.mail_from.empty();
    expect(test::wrong_gate(envelope, block.fields, settings, invention, strict));
    return 0;
}
