#include "relay/feedback/dsn_parts.hpp"

#include <algorithm>
#include <cstdio>

#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/transfer_encoding.hpp"
#include "common/smtp/enhanced_code.hpp"
#include "common/smtp/xtext.hpp"

namespace millrace::relay {

namespace {

constexpr std::size_t line_usual = 76;
constexpr std::size_t line_max = 998;
// A value without a blank cannot be folded: shorter than a line, its name included.
constexpr std::size_t value_max = 900;

/// Printable ASCII; anything else becomes `?`: a field's value must not end its line.
std::string printable(std::string_view text) {
    std::string result;
    for (char const c : text)
        result += c >= 0x20 && c < 0x7F ? c : '?';
    return result;
}

/// Broken at blanks into lines of 76 where that is possible.
std::string wrap(std::string_view text, std::size_t column, std::string_view line_end) {
    std::string result;
    while (!text.empty()) {
        auto word = text.substr(0, text.find(' ', 1));
        if (column + word.size() > line_usual && word.starts_with(' ') && word.size() > 1) {
            result += line_end;
            column = 1;
            result += word.substr(1);
        } else {
            result += word;
        }
        column += word.size();
        text.remove_prefix(word.size());
    }
    return result;
}

std::string field(std::string_view name, std::string_view value) {
    std::string line(name);
    line += ": ";
    return line + wrap(printable(value.substr(0, value_max)), line.size(), "\r\n ") + "\r\n";
}

std::string_view word_of(DsnAction action) {
    switch (action) {
        case DsnAction::failed:
            return "failed";
        case DsnAction::delayed:
            return "delayed";
        case DsnAction::delivered:
            return "delivered";
        case DsnAction::relayed:
            return "relayed";
    }
    return "failed";
}

/// A failure may carry a temporary code: time ran out over it (RFC 3463 §3.5, 4.4.7).
std::string status_of(const DsnRecipient& recipient) {
    auto const code = smtp::EnhancedCode::parse(recipient.status);
    switch (recipient.action) {
        case DsnAction::failed:
            return code && (code->klass == 5 || code->klass == 4) ? code->text() : "5.0.0";
        case DsnAction::delayed:
            return code && code->klass == 4 ? code->text() : "4.0.0";
        case DsnAction::delivered:
        case DsnAction::relayed:
            return code && code->klass == 2 ? code->text() : "2.0.0";
    }
    return "5.0.0";
}

std::string_view name_of_host(std::string_view remote_host) {
    return remote_host.substr(0, remote_host.find(' '));
}

std::string text_part(std::string_view type, std::string_view text) {
    if (mail::is_ascii(text)) {
        return "Content-Type: " + std::string(type) + "; charset=us-ascii\r\n\r\n" +
               std::string(text);
    }
    return "Content-Type: " + std::string(type) +
           "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
           mail::base64_lines(text);
}

/// Text for people: printable UTF-8 in one line.
std::string readable(std::string_view text) {
    auto result = mail::replace_invalid_utf8(text.substr(0, value_max));
    for (char& c : result) {
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
    }
    return result;
}

std::string advice_for(const DsnRecipient& recipient) {
    auto const status = status_of(recipient);
    auto const family = status.substr(2);
    switch (recipient.action) {
        case DsnAction::delayed:
            return "Delivery is tried again until " + to_rfc5322(recipient.retry_until) +
                   ". You need not do anything.";
        case DsnAction::delivered:
            return "It was delivered to the recipient's mail server.";
        case DsnAction::relayed:
            return "It was handed to the recipient's mail server, which does not report further "
                   "progress.";
        case DsnAction::failed:
            break;
    }
    if (family == "1.1" || family == "1.2" || family == "1.3" || family == "1.6") {
        return "Check the address for mistakes; if it is right, ask the recipient another way.";
    }
    if (family == "1.10") return "This domain takes no mail. Check the address for mistakes.";
    if (family == "2.2") return "The mailbox is full: try again later, or tell the recipient.";
    if (family == "3.4" || family == "2.3") return "Send a smaller message.";
    if (family == "4.7") return "It could not be delivered in time. Send it again later.";
    if (family.starts_with("6.")) return "The server does not take the message in this form.";
    if (family.starts_with("7.")) {
        return "The server refused it by its rules: its answer says which. Show it to whoever "
               "runs your mail server.";
    }
    return "Show the server's answer to whoever runs your mail server, or to the recipient.";
}

bool can_stand_as_it_is(std::string_view text) {
    if (!mail::is_ascii(text) || text.find('\0') != std::string_view::npos) return false;
    while (!text.empty()) {
        auto const end = text.find("\r\n");
        if (std::min(end, text.size()) > line_max) return false;
        if (end == std::string_view::npos) return true;
        text.remove_prefix(end + 2);
    }
    return true;
}

}  // namespace

std::string typed_address(std::string_view address) {
    if (mail::is_ascii(address)) return "rfc822; " + printable(address);
    std::string result = "utf-8; ";
    auto const text = mail::replace_invalid_utf8(address);
    for (std::size_t i = 0; i < text.size();) {
        auto const lead = static_cast<unsigned char>(text[i]);
        auto const length = lead < 0x80 ? 1U : lead < 0xE0 ? 2U : lead < 0xF0 ? 3U : 4U;
        char32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1U));
        for (std::size_t k = 1; k < length; ++k) {
            point = (point << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3FU);
        }
        i += length;
        if (point > 0x20 && point < 0x7F && point != '\\' && point != '+' && point != '=') {
            result += static_cast<char>(point);
        } else {
            char hex[16];
            std::snprintf(hex, sizeof hex, "\\x{%X}", static_cast<unsigned>(point));
            result += hex;
        }
    }
    return result;
}

std::string typed_orcpt(std::string_view orcpt) {
    auto const semicolon = orcpt.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0) return {};
    auto const type = orcpt.substr(0, semicolon);
    auto const address = orcpt.substr(semicolon + 1);
    // RFC 6533 §3: the utf-8 type has an encoding of its own, and no xtext around it.
    if (mail::lower(type) == "utf-8") {
        if (mail::is_ascii(address)) return printable(type) + "; " + printable(address);
        return typed_address(address);
    }
    auto const plain = smtp::decode_xtext(address);
    if (!plain || !mail::is_ascii(*plain)) return {};
    return printable(type) + "; " + printable(*plain);
}

std::string explanation_part(const Envelope& envelope,
                             std::span<const DsnRecipient> recipients,
                             const DsnContext& context) {
    std::string text = "This is the mail system at " + context.hostname + ".\r\n\r\n";
    text += "It is about your message";
    if (!envelope.message_id.empty()) text += " " + readable(envelope.message_id);
    text += "\r\nof " + to_rfc5322(envelope.received) + ".\r\n";
    struct Group {
        DsnAction action;
        std::string_view title;
    };
    for (auto const& group : {Group{DsnAction::failed, "It could NOT be delivered to:"},
                              Group{DsnAction::delayed, "It has NOT YET been delivered to:"},
                              Group{DsnAction::relayed, "It was passed on to the mail server of:"},
                              Group{DsnAction::delivered, "It was delivered to:"}}) {
        bool titled = false;
        for (const auto& recipient : recipients) {
            if (recipient.action != group.action) continue;
            if (!titled) text.append("\r\n").append(group.title).append("\r\n");
            titled = true;
            text += "\r\n  <" + readable(recipient.recipient.address) + ">\r\n";
            auto said = recipient.diagnostic;
            if (!said.empty() && !recipient.remote_host.empty()) {
                said = recipient.remote_host + " answered: " + said;
            }
            for (auto const& line : {recipient.reason, said}) {
                if (!line.empty()) text += "    " + wrap(readable(line), 4, "\r\n    ") + "\r\n";
            }
            text += "    " + wrap(advice_for(recipient), 4, "\r\n    ") + "\r\n";
        }
    }
    return text_part("text/plain", text);
}

std::string status_part(const Envelope& envelope,
                        std::span<const DsnRecipient> recipients,
                        const DsnContext& context) {
    std::string text = "Content-Type: message/delivery-status\r\n\r\n";
    if (!envelope.envid.empty()) {
        auto const envid = smtp::decode_xtext(envelope.envid);
        if (envid && mail::is_ascii(*envid)) text += field("Original-Envelope-Id", *envid);
    }
    text += field("Reporting-MTA", "dns; " + context.hostname);
    text += field("X-Millrace-Queue-ID", envelope.id.text());
    text += field("Arrival-Date", to_rfc5322(envelope.received));
    for (const auto& recipient : recipients) {
        text += "\r\n";
        auto const original = typed_orcpt(recipient.recipient.orcpt);
        if (!original.empty()) text += field("Original-Recipient", original);
        text += field("Final-Recipient", typed_address(recipient.recipient.address));
        text += field("Action", word_of(recipient.action));
        text += field("Status", status_of(recipient));
        if (!recipient.remote_host.empty()) {
            text += field("Remote-MTA", "dns; " + std::string(name_of_host(recipient.remote_host)));
        }
        if (!recipient.diagnostic.empty()) {
            text += field("Diagnostic-Code", "smtp; " + recipient.diagnostic);
        } else if (!recipient.reason.empty()) {
            text += field("Diagnostic-Code", "x-millrace; " + recipient.reason);
        }
        if (recipient.last_attempt != Time{}) {
            text += field("Last-Attempt-Date", to_rfc5322(recipient.last_attempt));
        }
        if (recipient.action == DsnAction::delayed && recipient.retry_until != Time{}) {
            text += field("Will-Retry-Until", to_rfc5322(recipient.retry_until));
        }
    }
    return text;
}

std::string returned_part(std::string_view original, bool whole) {
    if (whole && original.size() <= returned_max && can_stand_as_it_is(original)) {
        auto text = "Content-Type: message/rfc822\r\n\r\n" + std::string(original);
        if (!text.ends_with("\r\n")) text += "\r\n";
        return text;
    }
    auto const block = mail::parse_header_block(original, mail::LineEnd::crlf);
    auto header = original.substr(0, block.fields_end);
    if (header.size() > returned_header_max) {
        header = header.substr(0, returned_header_max);
        auto const line = header.rfind("\r\n");
        header = header.substr(0, line == std::string_view::npos ? 0 : line + 2);
    }
    std::string text = "Content-Type: text/rfc822-headers";
    if (can_stand_as_it_is(header)) {
        text.append("\r\n\r\n").append(header);
        if (!text.ends_with("\r\n")) text += "\r\n";
        return text;
    }
    text += mail::is_utf8(header) ? "; charset=utf-8" : "";
    return text + "\r\nContent-Transfer-Encoding: base64\r\n\r\n" + mail::base64_lines(header);
}

}  // namespace millrace::relay
