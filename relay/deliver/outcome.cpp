#include "relay/deliver/outcome.hpp"

#include "common/mail/charset.hpp"
#include "common/smtp/enhanced_code.hpp"

namespace millrace::relay {

namespace {

constexpr std::size_t line_max = 512;

std::string join(unsigned code, const std::string& enhanced, const std::string& text) {
    std::string line = code == 0 ? "" : std::to_string(code);
    for (const auto& part : {enhanced, text}) {
        if (part.empty()) continue;
        if (!line.empty()) line += ' ';
        line += part;
    }
    return line;
}

}  // namespace

std::string_view to_string(Phase phase) {
    switch (phase) {
        case Phase::connect:
            return "connect";
        case Phase::greeting:
            return "greeting";
        case Phase::hello:
            return "EHLO";
        case Phase::starttls:
            return "STARTTLS";
        case Phase::handshake:
            return "TLS handshake";
        case Phase::hello_again:
            return "EHLO in TLS";
        case Phase::auth:
            return "AUTH";
        case Phase::mail:
            return "MAIL FROM";
        case Phase::rcpt:
            return "RCPT TO";
        case Phase::data:
            return "DATA";
        case Phase::body:
            return "message";
        case Phase::dot:
            return "end of data";
        case Phase::reset:
            return "RSET";
        case Phase::quit:
            return "QUIT";
    }
    return "";
}

std::string RecipientOutcome::line() const {
    return join(code, enhanced, text);
}

std::string Opened::line() const {
    return join(code, enhanced, text);
}

std::string one_line(std::string_view said) {
    auto const utf8 = mail::replace_invalid_utf8(said.substr(0, 4 * line_max));
    std::string line;
    for (std::size_t i = 0; i < utf8.size(); ++i) {
        auto const byte = static_cast<unsigned char>(utf8[i]);
        // C1 controls are two bytes, 0xC2 0x80–0x9F: a terminal obeys them.
        bool const c1 =
            byte == 0xC2 && i + 1 < utf8.size() && static_cast<unsigned char>(utf8[i + 1]) < 0xA0;
        if (c1) ++i;
        if (c1 || byte < 0x20 || byte == 0x7F || byte == ' ') {
            if (!line.empty() && !line.ends_with(' ')) line += ' ';
        } else {
            line += utf8[i];
        }
    }
    if (line.size() > line_max) {
        auto end = line_max;
        while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U)
            --end;
        line.resize(end);
    }
    while (line.ends_with(' '))
        line.pop_back();
    return line;
}

std::string enhanced_for(OutcomeKind kind, std::string_view given, std::string_view fallback) {
    auto code = smtp::EnhancedCode::parse(given);
    if (!code) code = smtp::EnhancedCode::parse(fallback);
    if (!code) code = smtp::EnhancedCode{};
    switch (kind) {
        case OutcomeKind::delivered:
            code->klass = 2;
            break;
        case OutcomeKind::deferred:
            code->klass = 4;
            break;
        case OutcomeKind::bounced:
            code->klass = 5;
            break;
    }
    return code->text();
}

}  // namespace millrace::relay
