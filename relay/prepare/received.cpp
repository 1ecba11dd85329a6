#include "relay/prepare/received.hpp"

#include <algorithm>
#include <array>

namespace millrace::relay {

namespace {

constexpr std::size_t word_max = 255;  // RFC 5321 §4.5.3.1.2: a domain

// A name or literal as a client gave it: no blank, parenthesis or control character gets through.
std::string harmless(std::string_view text) {
    std::string out;
    for (const char c : text.substr(0, word_max)) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = byte > 0x20 && byte < 0x7f &&
                           std::string_view("()<>;,\"\\").find(c) == std::string_view::npos;
        out += plain ? c : '?';
    }
    return out.empty() ? "unknown" : out;
}

std::string literal(std::string_view address) {
    const bool v6 = address.find(':') != std::string_view::npos;
    return (v6 ? "[IPv6:" : "[") + harmless(address) + ']';
}

bool is_printable(std::string_view path, bool utf8) {
    for (const char c : path) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) return false;
    }
    return !path.empty();
}

}  // namespace

std::string_view protocol_of(const Session& session) {
    const unsigned secured = session.tls_protocol.empty() ? 0 : 1;
    const unsigned index = secured + (session.authenticated ? 2U : 0U);
    if (session.smtputf8) {
        constexpr std::array<std::string_view, 4> words{
            "UTF8SMTP", "UTF8SMTPS", "UTF8SMTPA", "UTF8SMTPSA"};
        return words[index];
    }
    if (!session.extended) return "SMTP";
    constexpr std::array<std::string_view, 4> words{"ESMTP", "ESMTPS", "ESMTPA", "ESMTPSA"};
    return words[index];
}

std::size_t count_passes(std::span<const mail::HeaderField> fields, std::string_view hostname) {
    const std::string mark = "by " + harmless(hostname) + " (Millrace) with ";
    return static_cast<std::size_t>(std::ranges::count_if(fields, [&](const auto& field) {
        const auto at = field.value.find(mark);
        // A word of its own: `from standby relay.example (Millrace) …` is somebody's HELO.
        return mail::same_name(field.name, "Received") && at != std::string_view::npos &&
               (at == 0 || field.value[at - 1] == ' ' || field.value[at - 1] == '\t');
    }));
}

std::string received_field(const Session& session,
                           const Envelope& envelope,
                           std::string_view hostname,
                           Time wall) {
    std::string out = "Received: ";
    if (!session.client_address.empty()) {
        out += "from " + harmless(session.helo) + " (" + harmless(session.client_name) + ' ' +
               literal(session.client_address) + ")\r\n\t";
    }
    if (!session.tls_protocol.empty()) {
        out += "(using " + harmless(session.tls_protocol) + " with cipher " +
               harmless(session.tls_cipher);
        if (session.tls_bits > 0) out += " (" + std::to_string(session.tls_bits) + " bits)";
        out += ")\r\n\t";
    }
    out += "by " + harmless(hostname) + " (Millrace) with ";
    out += protocol_of(session);
    out += " id " + envelope.id.text();
    const bool one = envelope.recipients.size() == 1 &&
                     is_printable(envelope.recipients.front().address, session.smtputf8);
    if (one) out += "\r\n\tfor <" + envelope.recipients.front().address + '>';
    out += ";\r\n\t" + to_rfc5322(wall) + "\r\n";
    return out;
}

}  // namespace millrace::relay
