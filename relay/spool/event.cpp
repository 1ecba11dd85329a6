#include "relay/spool/event.hpp"

#include <fmt/format.h>
#include <string_view>

#include "common/base/check.hpp"
#include "relay/spool/message.hpp"

namespace millrace::relay {
namespace {

/// How many bytes of `text` at `at` are one well-formed UTF-8 character (RFC 3629 §4); 0 if none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
    auto const byte = [&](std::size_t n) -> unsigned {
        return at + n < text.size() ? static_cast<unsigned char>(text[at + n]) : 0U;
    };
    auto const tail = [&](std::size_t n) {
        return (byte(n) & 0xC0U) == 0x80U;
    };
    auto const lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        bool const overlong = lead == 0xE0 && byte(1) < 0xA0;
        bool const surrogate = lead == 0xED && byte(1) > 0x9F;
        return tail(1) && tail(2) && !overlong && !surrogate ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        bool const overlong = lead == 0xF0 && byte(1) < 0x90;
        bool const too_far = lead == 0xF4 && byte(1) > 0x8F;
        return tail(1) && tail(2) && tail(3) && !overlong && !too_far ? 4 : 0;
    }
    return 0;
}

void append_string(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t at = 0; at < text.size();) {
        auto const length = utf8_length(text, at);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            ++at;
            continue;
        }
        auto const c = static_cast<unsigned char>(text[at]);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += text[at];
        } else if (c < 0x20 || c == 0x7F) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
        } else {
            out += text.substr(at, length);
        }
        at += length;
    }
    out += '"';
}

class ObjectWriter {
  public:
    void text(std::string_view name, std::string_view value) {
        key(name);
        append_string(out_, value);
    }
    void text_or_null(std::string_view name, std::string_view value) {
        if (value.empty()) {
            null(name);
        } else {
            text(name, value);
        }
    }
    void number(std::string_view name, std::uint64_t value) {
        key(name);
        out_ += std::to_string(value);
    }
    void number_or_null(std::string_view name, std::uint64_t value) {
        if (value == 0) {
            null(name);
        } else {
            number(name, value);
        }
    }
    void yes(std::string_view name) {
        key(name);
        out_ += "true";
    }
    std::string done() && { return std::move(out_) + "}"; }

  private:
    void null(std::string_view name) {
        key(name);
        out_ += "null";
    }
    void key(std::string_view name) {
        out_ += out_.size() > 1 ? "," : "";
        out_ += '"';
        out_ += name;
        out_ += "\":";
    }
    std::string out_ = "{";
};

}  // namespace

Event received_event(const Envelope& envelope, std::uint16_t recipient_index) {
    MILLRACE_CHECK(recipient_index < envelope.recipients.size());
    Event event;
    event.kind = EventKind::received;
    event.at = envelope.received;
    event.message = envelope.id;
    event.recipient_index = recipient_index;
    event.mta_queue_id = envelope.mta_queue_id;
    event.message_id = envelope.message_id;
    event.account = envelope.account;
    event.recipient = envelope.recipients[recipient_index].address;
    event.sender = envelope.sender;
    event.klass = to_string(envelope.klass);
    event.tag = envelope.tag;
    event.born = envelope.born;
    event.client = envelope.client;
    event.size = envelope.size;
    event.recipients = static_cast<std::uint16_t>(envelope.recipients.size());
    return event;
}

std::string type_letter(EventKind kind) {
    switch (kind) {
        case EventKind::received:
            return "r";
        case EventKind::deferred:
            return "t";
        case EventKind::delivered:
            return "d";
        case EventKind::complained:
            return "f";
        case EventKind::bounced:
        case EventKind::expired:
        case EventKind::suppressed:
        case EventKind::removed:
            return "b";
    }
    check_failed("a known event kind", __FILE__, __LINE__);
}

std::string type_letter(const Event& event) {
    return event.kind == EventKind::bounced && event.late ? "rb" : type_letter(event.kind);
}

std::string to_string(EventKind kind) {
    switch (kind) {
        case EventKind::received:
            return "received";
        case EventKind::deferred:
            return "deferred";
        case EventKind::delivered:
            return "delivered";
        case EventKind::bounced:
            return "bounced";
        case EventKind::expired:
            return "expired";
        case EventKind::complained:
            return "complained";
        case EventKind::suppressed:
            return "suppressed";
        case EventKind::removed:
            return "removed";
    }
    check_failed("a known event kind", __FILE__, __LINE__);
}

std::string to_json(const Event& event) {
    ObjectWriter out;
    out.number("event_id", event.id);
    out.text("event", to_string(event.kind));
    out.text("timestamp", to_rfc3339(event.at));
    out.text("queue_id", event.message.text());
    out.text_or_null("mta_queue_id", event.mta_queue_id);
    out.text_or_null("message_id", event.message_id);
    out.text_or_null("account", event.account);
    out.text("recipient", event.recipient);
    out.text("sender", event.sender);
    out.text_or_null("class", event.klass);
    out.text_or_null("tag", event.tag);
    out.number_or_null("attempt", event.attempt);
    out.text_or_null("site", event.site);
    out.text_or_null("provider", event.provider);
    out.text_or_null("remote_mta", event.remote_mta);
    out.text_or_null("source_ip", event.source_ip);
    out.number_or_null("smtp_code", event.smtp_code);
    out.text_or_null("enhanced_status", event.enhanced_status);
    out.text_or_null("reason", event.reason);
    out.text_or_null("bounce_category", event.bounce_category);
    out.text("type", type_letter(event));
    if (event.possible_duplicate) {
        out.yes("possible_duplicate");
    }
    return std::move(out).done();
}

}  // namespace millrace::relay
