#include "relay/deliver/blame.hpp"

#include <charconv>
#include <optional>
#include <string>

namespace millrace::relay {

namespace {

constexpr std::size_t text_max = 4096;

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/// Lower-case, control characters and runs of blanks as one blank.
std::string normalise(std::string_view text) {
    std::string result;
    for (char c : text.substr(0, text_max)) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (static_cast<unsigned char>(c) <= ' ') c = ' ';
        if (c == ' ' && result.ends_with(' ')) continue;
        result += c;
    }
    return result;
}

/// Begins where a word begins; a short one (`spf`, `rbl`, `ptr`) ends where the word ends, too.
bool says(std::string_view text, std::string_view phrase) {
    for (auto at = text.find(phrase); at != std::string_view::npos;
         at = text.find(phrase, at + 1)) {
        auto const end = at + phrase.size();
        bool const begins =
            !is_alphanumeric(phrase.front()) || at == 0 || !is_alphanumeric(text[at - 1]);
        bool const ends = phrase.size() > 4 || !is_alphanumeric(phrase.front()) ||
                          !is_alphanumeric(phrase.back()) || end == text.size() ||
                          !is_alphanumeric(text[end]);
        if (begins && ends) return true;
    }
    return false;
}

struct Status {
    unsigned subject = 0;
    unsigned detail = 0;
};

/// The enhanced code, unless it contradicts the basic one: then the basic one is believed.
std::optional<Status> status_of(unsigned code, std::string_view enhanced) {
    if (enhanced.size() < 5 || enhanced[1] != '.') return std::nullopt;
    if (static_cast<unsigned>(enhanced[0] - '0') != code / 100) return std::nullopt;
    Status status;
    auto const* const end = enhanced.data() + enhanced.size();
    auto const subject = std::from_chars(enhanced.data() + 2, end, status.subject);
    if (subject.ec != std::errc{} || subject.ptr == end || *subject.ptr != '.') return std::nullopt;
    auto const detail = std::from_chars(subject.ptr + 1, end, status.detail);
    if (detail.ec != std::errc{} || detail.ptr != end) return std::nullopt;
    return status;
}

/// Codes with one meaning, whatever is written beside them.
std::optional<Blame> by_exact_status(const Status& status, bool temporary) {
    if (status.subject == 7) {
        switch (status.detail) {
            case 10:
                return Blame::tls;  // encryption needed
            case 20:
            case 21:
            case 22:
                return Blame::compliance;  // DKIM
            case 23:
            case 24:
            case 25:
            case 26:
                return Blame::compliance;  // SPF, rDNS, several
            case 28:
                return temporary ? Blame::rate : Blame::reputation;  // mail flood
            case 29:
            case 30:
            case 32:
                return Blame::compliance;
            case 509:
            case 515:
                return Blame::compliance;  // DMARC, bulk requirements
            default:
                break;
        }
        if (status.detail >= 606 && status.detail <= 649) return Blame::blocklist;
    }
    if (status.subject == 2 && status.detail == 2) return Blame::recipient;  // mailbox full
    return std::nullopt;
}

/// What the code's family is about, when nothing better is known.
Blame by_status(const Status& status, bool temporary) {
    switch (status.subject) {
        case 1:
            if (status.detail == 7 || status.detail == 8) return Blame::sender;
            return status.detail == 10 || status.detail == 0 ? Blame::none : Blame::recipient;
        case 2:
            return Blame::recipient;
        case 3:
            if (status.detail == 4) return Blame::content;  // too big
            return temporary ? Blame::receiver_ill : Blame::none;
        case 4:
            return temporary ? Blame::receiver_ill : Blame::none;
        case 6:
            return Blame::content;
        default:
            return Blame::none;
    }
}

}  // namespace

std::string_view to_string(Blame blame) {
    switch (blame) {
        case Blame::none:
            return "none";
        case Blame::connections:
            return "connections";
        case Blame::rate:
            return "rate";
        case Blame::messages_per_connection:
            return "messages-per-connection";
        case Blame::recipient:
            return "recipient";
        case Blame::greylist:
            return "greylist";
        case Blame::sender:
            return "sender";
        case Blame::content:
            return "content";
        case Blame::reputation:
            return "reputation";
        case Blame::blocklist:
            return "blocklist";
        case Blame::compliance:
            return "compliance";
        case Blame::receiver_ill:
            return "receiver-ill";
        case Blame::tls:
            return "tls";
    }
    return "none";
}

bool is_limit(Blame blame) {
    return blame == Blame::connections || blame == Blame::rate ||
           blame == Blame::messages_per_connection;
}

Blame blame_of(unsigned code, std::string_view enhanced, std::string_view text) {
    if (code < 400 || code > 599) return Blame::none;
    bool const temporary = code < 500;
    auto const status = status_of(code, enhanced);
    if (status) {
        if (auto const exact = by_exact_status(*status, temporary)) return *exact;
    }
    auto const said = normalise(text);
    for (const auto& row : blame_phrases()) {
        if (row.severity == Severity::temporary && !temporary) continue;
        if (row.severity == Severity::permanent && temporary) continue;
        if (says(said, row.phrase)) return row.blame;
    }
    return status ? by_status(*status, temporary) : Blame::none;
}

}  // namespace millrace::relay
