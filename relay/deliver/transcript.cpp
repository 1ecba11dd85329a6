#include "relay/deliver/transcript.hpp"

namespace millrace::relay {
namespace {

constexpr std::size_t line_max = 1'000;
/// Trimmed in leaps, not with every line.
constexpr std::size_t recent_max = 2 * LastDialogues::text_max;

std::string_view mark_of(TraceLine::Kind kind) {
    switch (kind) {
        case TraceLine::Kind::said:
        case TraceLine::Kind::sent:
            return "> ";
        case TraceLine::Kind::heard:
            return "< ";
        case TraceLine::Kind::note:
            break;
    }
    return "- ";
}

/// As it stood on the wire.
std::string line_of(const smtp::Reply& reply, std::size_t i) {
    bool const last = i + 1 >= reply.lines.size();
    auto text = std::to_string(reply.code) + (last ? " " : "-");
    if (!reply.enhanced.empty()) text += reply.enhanced + " ";
    if (i < reply.lines.size()) text += reply.lines[i];
    return text;
}

}  // namespace

Transcript::Transcript(
    TraceHub& hub, LastDialogues& last, const Clock& clock, std::string site, std::uint64_t number)
    : hub_(hub), last_(last), clock_(clock), site_(std::move(site)), number_(number) {}

void Transcript::connecting(const std::string& host, const std::string& source) {
    host_ = host;
    source_ = source;
    recent_.clear();
    message_bytes_ = 0;
    after_message_ = false;
    line(TraceLine::Kind::note, "connecting to " + host_);
}

void Transcript::connected(const std::string& source) {
    source_ = source;
    line(TraceLine::Kind::note, "connected from " + source_);
}

void Transcript::carries(TraceLoad load) {
    load_ = std::move(load);
    refused_here_ = false;
}

void Transcript::said(std::string_view bytes) {
    while (!bytes.empty()) {
        auto const end = bytes.find("\r\n");
        line(TraceLine::Kind::said, mask_.said(bytes.substr(0, end)));
        bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 2);
    }
}

void Transcript::tell_sent() {
    if (message_bytes_ == 0) return;
    line(TraceLine::Kind::sent, "(the message: " + std::to_string(message_bytes_) + " bytes)");
    message_bytes_ = 0;
    after_message_ = true;
}

void Transcript::heard(const smtp::Reply& reply) {
    tell_sent();
    for (std::size_t i = 0; i < std::max<std::size_t>(1, reply.lines.size()); ++i) {
        line(TraceLine::Kind::heard, mask_.heard(line_of(reply, i)));
    }
    mask_.replied(reply.code);
    bool const refusal = reply.temporary() || reply.permanent();
    bool const verdict = std::exchange(after_message_, false);
    // The first refusal of a transaction is the cause; a 503 or 554 to DATA only follows from it.
    if (verdict || (refusal && !refused_here_)) {
        last_.heard(site_, host_, mask_.heard(reply.text()), clock_.now());
    }
    refused_here_ = refused_here_ || (refusal && load_.message.value != 0);
    if (refusal) last_.refused(site_, recent_, clock_.now());
}

void Transcript::note(std::string_view text) {
    tell_sent();
    line(TraceLine::Kind::note, std::string(text));
}

void Transcript::broke(std::string_view why) {
    note(why);
    last_.refused(site_, recent_, clock_.now());
}

void Transcript::line(TraceLine::Kind kind, std::string text) {
    if (text.size() > line_max) text.resize(line_max);
    recent_.append(mark_of(kind)).append(text).append("\n");
    if (recent_.size() > recent_max) {
        recent_.erase(0, recent_.find('\n', recent_.size() - LastDialogues::text_max) + 1);
    }
    if (!hub_.listening()) return;
    hub_.tell({clock_.now(), number_, kind, std::move(text), site_, host_, source_, load_});
}

}  // namespace millrace::relay
