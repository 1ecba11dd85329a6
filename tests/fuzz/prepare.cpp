#include "relay/prepare/prepare.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "common/mail/header_block.hpp"

// Goal: whatever bytes come in, what goes into the spool has CRLF line ends and nothing else, no
// zero byte, the body that came in (unless it was encoded anew for its long lines), and a second
// relay of the same settings adds its trace field and changes nothing. The first byte chooses rules
// and settings, the second who the gate judges; the rest is the message.
namespace {

using namespace millrace;
using namespace millrace::relay;

void expect(bool good, const char* fault, std::string_view bytes) {
    if (good) return;
    std::fprintf(stderr, "%s:\n%.*s\n", fault, static_cast<int>(bytes.size()), bytes.data());
    std::abort();
}

bool only_crlf(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\0') return false;
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r')) return false;
        if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) return false;
    }
    return text.ends_with("\r\n");
}

std::string_view body_of(std::string_view message) {
    return message.substr(mail::parse_header_block(message, mail::LineEnd::crlf).body_offset);
}

// The trace field is ours and stands at the very top.
std::string_view below_trace(std::string_view message) {
    const mail::HeaderBlock block = mail::parse_header_block(message, mail::LineEnd::crlf);
    expect(!block.fields.empty() && block.fields.front().name == "Received", "no trace", message);
    return message.substr(block.extents.front().offset + block.extents.front().size);
}

bool has_long_line(std::string_view body) {
    for (std::size_t start = 0; start < body.size();) {
        const std::size_t end = std::min(body.find("\r\n", start), body.size());
        if (end - start > 998) return true;
        start = end + 2;
    }
    return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t head = 2;
    if (size < head) return 0;
    policy::Settings settings;
    settings.sender = "postmaster@relay.example.net";
    settings.message_id_domain = "relay.example.net";
    if ((data[0] & 1) != 0) settings.mode = policy::Mode::report_only;
    const bool line_ends_mended = (data[0] & 2) != 0;
    const bool body_begins_early = (data[0] & 4) != 0;
    if (line_ends_mended) settings.actions[40] = policy::Action::repair;
    if (body_begins_early) settings.actions[36] = policy::Action::repair;
    if ((data[0] & 8) != 0) settings.actions[32] = policy::Action::note;
    Rules rules;
    rules.gate = &settings;
    rules.hostname = "relay.example.net";
    rules.long_lines = (data[0] & 16) != 0 ? LongLines::refuse : LongLines::reencode;
    rules.remove_bcc = (data[0] & 32) != 0;

    Arrival arrival;
    arrival.envelope.sender = (data[1] & 16) != 0 ? "" : "app@example.com";
    arrival.envelope.recipients = {{"bob@example.org", "example.org", {}, {}}};
    arrival.message.assign(reinterpret_cast<const char*>(data) + head, size - head);
    arrival.origin = static_cast<policy::Origin>(data[1] % 3);
    arrival.judge = static_cast<Judge>((data[1] >> 2) % 3);
    arrival.declared_8bit = (data[1] & 32) != 0;
    arrival.session = {"client.example.com", "client.example.com", "192.0.2.7"};
    arrival.wall = from_unix_millis(1'795'508'130'000);
    arrival.invention = {"Tue, 24 Nov 2026 08:15:30 +0000", "unique"};

    const auto first = prepare(arrival, rules);
    if (const auto* refused = std::get_if<Refused>(&first)) {
        expect(refused->code >= 500 && refused->code < 600 && !refused->text.empty(),
               "a refusal without a reply",
               refused->text);
        return 0;
    }
    const Prepared& stored = std::get<Prepared>(first);
    const std::string& bytes = *stored.body;
    expect(only_crlf(bytes), "stored with other line ends than CRLF", bytes);
    expect(stored.envelope.size == bytes.size(), "a wrong size", bytes);

    std::string given = arrival.message;
    if (!given.ends_with("\r\n")) given += "\r\n";
    const std::string_view body = body_of(given);
    if (!line_ends_mended && !body_begins_early && !has_long_line(body)) {
        expect(bytes.ends_with(body), "the body has changed", bytes);
    }

    const std::string once(below_trace(bytes));
    if (once.empty()) return 0;  // nothing but a From_ line came: an empty message gets a line end
    arrival.message = once;
    const auto second = prepare(arrival, rules);
    const auto* again = std::get_if<Prepared>(&second);
    expect(again != nullptr, "its own work is refused", once);
    expect(below_trace(*again->body) == once, "a second pass changes it again", *again->body);
    return 0;
}
