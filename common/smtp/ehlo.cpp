#include "common/smtp/ehlo.hpp"

#include <algorithm>
#include <charconv>

namespace millrace::smtp {

namespace {

std::string upper(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

// The next word of `text`, which moves behind it; empty at the end.
std::string_view next_word(std::string_view& text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text.remove_prefix(word.size());
    return word;
}

// No value when it is not all digits or does not fit.
std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, fault] = std::from_chars(text.data(), end, value);
    if (text.empty() || fault != std::errc() || stopped != end) return std::nullopt;
    return value;
}

void read_limits(std::string_view arguments, Capabilities& found) {
    while (true) {
        const std::string_view word = next_word(arguments);
        if (word.empty()) return;
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) continue;
        const auto value = number(word.substr(equals + 1));
        if (!value || *value == 0) continue;
        const std::string name = upper(word.substr(0, equals));
        if (name == "RCPTMAX") found.rcpt_max = value;
        if (name == "MAILMAX") found.mail_max = value;
        if (name == "RCPTDOMAINMAX") found.rcpt_domain_max = value;
    }
}

void read_auth(std::string_view arguments, Capabilities& found) {
    while (true) {
        const std::string_view word = next_word(arguments);
        if (word.empty()) return;
        std::string mechanism = upper(word);
        if (!found.offers_auth(mechanism)) found.auth.push_back(std::move(mechanism));
    }
}

void read_keyword(std::string_view line, Capabilities& found) {
    std::string_view rest = line;
    std::string keyword = upper(next_word(rest));
    // `AUTH=LOGIN`, as servers wrote before RFC 2554.
    if (keyword.starts_with("AUTH=")) {
        read_auth(std::string_view(keyword).substr(5), found);
        keyword = "AUTH";
    }
    if (keyword == "PIPELINING") found.pipelining = true;
    if (keyword == "8BITMIME") found.eight_bit_mime = true;
    if (keyword == "SMTPUTF8") found.smtputf8 = true;
    if (keyword == "DSN") found.dsn = true;
    if (keyword == "CHUNKING") found.chunking = true;
    if (keyword == "ENHANCEDSTATUSCODES") found.enhanced_status_codes = true;
    if (keyword == "STARTTLS") found.starttls = true;
    if (keyword == "REQUIRETLS") found.requiretls = true;
    if (keyword == "AUTH") read_auth(rest, found);
    if (keyword == "LIMITS") read_limits(rest, found);
    if (keyword == "SIZE") {
        found.size = true;
        found.size_max = number(next_word(rest)).value_or(0);
    }
}

}  // namespace

bool Capabilities::offers_auth(std::string_view mechanism) const {
    return std::ranges::find(auth, mechanism) != auth.end();
}

Capabilities parse_ehlo(const Reply& reply) {
    Capabilities found;
    if (reply.lines.empty()) return found;
    std::string_view first = reply.lines.front();
    found.name = next_word(first);
    for (std::size_t i = 1; i < reply.lines.size(); ++i) {
        read_keyword(reply.lines[i], found);
    }
    return found;
}

}  // namespace millrace::smtp
