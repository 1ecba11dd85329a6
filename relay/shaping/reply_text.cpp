#include "relay/shaping/reply_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace millrace::relay {

namespace {

constexpr std::size_t text_max = 4096;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || is_digit(c);
}

/// U+00C0 to U+00FF without their accents; a blank where there is no such letter.
constexpr std::string_view latin =
    "aaaaaaaceeeeiiii nooooo ouuuuy saaaaaaaceeeeiiii nooooo ouuuuy y";
static_assert(latin.size() == 64);

/// One character of UTF-8 that replies write where others write ASCII; how many bytes it has.
std::size_t fold(std::string_view rest, std::string& out) {
    auto const at = [&](std::size_t i) {
        return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0U;
    };
    if (at(0) == 0xC3 && at(1) >= 0x80 && at(1) <= 0xBF) {
        out += latin[at(1) - 0x80U];
        return 2;
    }
    if (at(0) == 0xC2 && at(1) == 0xA0) {  // no-break space
        out += ' ';
        return 2;
    }
    if (at(0) == 0xE2 && at(1) == 0x80 && (at(2) == 0x98 || at(2) == 0x99)) {
        out += '\'';
        return 3;
    }
    if (at(0) == 0xE2 && at(1) == 0x80 && (at(2) == 0x93 || at(2) == 0x94)) {
        out += '-';
        return 3;
    }
    out += rest.front();
    return 1;
}

/// The enhanced code that a text begins with or has behind a `#`, as qmail and others write it.
std::optional<EnhancedCode> code_in(std::string_view said) {
    constexpr std::string_view characters = "0123456789.";
    auto const read = [&](std::size_t at) {
        auto const end = std::min(said.find_first_not_of(characters, at), said.size());
        auto word = said.substr(at, end - at);
        if (word.ends_with('.')) word.remove_suffix(1);
        return enhanced_code(word);
    };
    if (auto const first = read(0)) return first;
    for (auto at = said.find('#'); at != std::string_view::npos; at = said.find('#', at + 1)) {
        if (auto const found = read(at + 1)) return found;
    }
    return std::nullopt;
}

/// Whether what stands at `at` is a word of its own, not a part of a longer name.
bool stands_alone(std::string_view said, std::size_t at, std::size_t size) {
    auto const part_of_name = [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '.' || c == '@' || c == '_';
    };
    if (at > 0 && part_of_name(said[at - 1])) return false;
    auto const end = at + size;
    if (end == said.size() || !part_of_name(said[end])) return true;
    return said[end] == '.' && (end + 1 == said.size() || !is_alphanumeric(said[end + 1]));
}

/// Where an address is named: `192.0.2.1`, `2001:db8::1`.
std::size_t address_in(std::string_view said) {
    constexpr std::string_view characters = "0123456789abcdef.:";
    for (std::size_t at = 0; at < said.size();) {
        at = said.find_first_of(characters, at);
        if (at == std::string_view::npos) break;
        auto const end = std::min(said.find_first_not_of(characters, at), said.size());
        auto const word = said.substr(at, end - at);
        bool const begins = at == 0 || !is_alphanumeric(said[at - 1]);
        bool const ends = end == said.size() || !is_alphanumeric(said[end]);
        auto const dots = std::ranges::count(word.substr(0, word.find_last_not_of('.') + 1), '.');
        bool const v4 = dots == 3 && word.find_first_not_of("0123456789.") == word.npos;
        bool const v6 = std::ranges::count(word, ':') >= 2 && word.size() > 3;
        if (begins && ends && (v4 || v6) && word.front() != '.') return at;
        at = end;
    }
    return std::string_view::npos;
}

constexpr std::array domain_words{"spf domain",
                                  "dkim domain",
                                  "sending domain",
                                  "sender domain",
                                  "sender's domain",
                                  "from your domain",
                                  "of your domain",
                                  "by your domain",
                                  "for your domain",
                                  "mail from domain",
                                  "your domain has",
                                  "your domain is",
                                  "domain reputation"};
constexpr std::array source_words{"your ip",
                                  "sending ip",
                                  "ip address",
                                  "ip netblock",
                                  "netblock",
                                  "ip reputation",
                                  "the ip",
                                  "this ip",
                                  "ip frequency",
                                  "your host",
                                  "your server",
                                  "your mail server",
                                  "the mail server",
                                  "client host",
                                  "source ip",
                                  "new ip",
                                  "adresse ip",
                                  "from your network"};
constexpr std::array link_words{
    "url domain", "your url", "link in", "links within", "same message-id"};

}  // namespace

std::optional<EnhancedCode> enhanced_code(std::string_view text) {
    EnhancedCode code;
    unsigned* const parts[] = {&code.klass, &code.subject, &code.detail};
    auto const* at = text.data();
    auto const* const end = at + text.size();
    for (unsigned i = 0; i < 3; ++i) {
        if (i > 0) {
            if (at == end || *at != '.') return std::nullopt;
            ++at;
        }
        auto const read = std::from_chars(at, end, *parts[i]);
        if (read.ec != std::errc{} || read.ptr - at > 3) return std::nullopt;
        at = read.ptr;
    }
    if (at != end || (code.klass != 2 && code.klass != 4 && code.klass != 5)) return std::nullopt;
    return code;
}

std::string plain_text(std::string_view text) {
    std::string result;
    text = text.substr(0, text_max);
    while (!text.empty()) {
        auto const size = fold(text, result);
        text.remove_prefix(size);
        char& c = result.back();
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (static_cast<unsigned char>(c) <= ' ') c = ' ';
        if (c == ' ' && result.size() > 1 && result[result.size() - 2] == ' ') result.pop_back();
    }
    return result;
}

ReplyText read_reply(unsigned code, std::string_view enhanced, std::string_view text) {
    ReplyText reply;
    reply.code = code;
    reply.enhanced = enhanced_code(enhanced);
    auto const plain = plain_text(text);
    // Behind `421 ` or `421-` a line may begin with blanks.
    std::string_view rest = plain;
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (!reply.enhanced) reply.enhanced = code_in(rest);
    // `421-4.7.28 an unusual rate of mail originating from 421-4.7.28 your SPF domain`
    auto const number = std::to_string(code);
    while (!rest.empty()) {
        auto word = rest.substr(0, rest.find(' '));
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
        // `try again in 450 seconds` has nothing to do with the code.
        auto const next = rest.substr(0, rest.find(' '));
        if (word == number && (reply.said.empty() || enhanced_code(next))) continue;
        if (word.size() > 4 && word.starts_with(number) && word[3] == '-') word.remove_prefix(4);
        if (reply.enhanced && enhanced_code(word) == reply.enhanced) continue;
        if (!reply.said.empty()) reply.said += ' ';
        reply.said += word;
    }
    return reply;
}

bool says(std::string_view text, std::string_view phrase) {
    if (phrase.empty()) return false;
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

std::optional<Axis> axis_in(std::string_view said, std::string_view sender_domain) {
    auto first = std::string_view::npos;
    std::optional<Axis> axis;
    auto const note = [&](std::size_t at, Axis named) {
        if (at < first) {
            first = at;
            axis = named;
        }
    };
    auto const note_words = [&](auto const& words, Axis named) {
        for (std::string_view const word : words) {
            auto const at = said.find(word);
            if (at != said.npos && (at == 0 || !is_alphanumeric(said[at - 1]))) note(at, named);
        }
    };
    note_words(domain_words, Axis::sender_domain);
    note_words(source_words, Axis::source);
    note_words(link_words, Axis::message);
    note(address_in(said), Axis::source);
    if (sender_domain.find('.') != std::string_view::npos) {
        for (auto at = said.find(sender_domain); at != said.npos;
             at = said.find(sender_domain, at + 1)) {
            if (!stands_alone(said, at, sender_domain.size())) continue;
            note(at, Axis::sender_domain);
            break;
        }
    }
    return axis;
}

Duration asked_pause(std::string_view said) {
    constexpr std::array leads{"again in ",
                               "again after ",
                               "retry in ",
                               "retry after ",
                               "try after ",
                               "wait ",
                               "back in ",
                               "at least ",
                               "greylisted for ",
                               "graylisted for ",
                               "-listed for ",
                               "blocked for ",
                               "deferred for "};
    constexpr Duration longest = std::chrono::hours(24);
    Duration best{};
    for (std::string_view const lead : leads) {
        for (auto at = said.find(lead); at != said.npos; at = said.find(lead, at + 1)) {
            if (at > 0 && is_alphanumeric(lead.front()) && is_alphanumeric(said[at - 1])) continue;
            auto const rest = said.substr(at + lead.size());
            unsigned count = 0;
            auto const read = std::from_chars(rest.data(), rest.data() + rest.size(), count);
            if (read.ec != std::errc{} || count > 100'000) continue;
            auto unit = rest.substr(static_cast<std::size_t>(read.ptr - rest.data()));
            unit.remove_prefix(std::min(unit.find_first_not_of(" -"), unit.size()));
            auto const word = unit.substr(0, std::min(unit.find_first_of(" .,;:)]!"), unit.size()));
            Duration asked{};
            if (word == "s" || word.starts_with("sec")) asked = std::chrono::seconds(count);
            if (word == "m" || word.starts_with("min")) asked = std::chrono::minutes(count);
            if (word == "h" || word == "hr" || word == "hrs" || word.starts_with("hour"))
                asked = std::chrono::hours(count);
            best = std::max(best, std::min(asked, longest));
        }
    }
    return best;
}

}  // namespace millrace::relay
