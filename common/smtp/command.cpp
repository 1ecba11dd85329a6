#include "common/smtp/command.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "common/mail/domain.hpp"

namespace millrace::smtp {

namespace {

struct VerbRow {
    Verb verb;
    std::string_view name;
};

constexpr auto verbs = std::to_array<VerbRow>({
    {Verb::helo, "HELO"},
    {Verb::ehlo, "EHLO"},
    {Verb::mail, "MAIL"},
    {Verb::rcpt, "RCPT"},
    {Verb::data, "DATA"},
    {Verb::bdat, "BDAT"},
    {Verb::rset, "RSET"},
    {Verb::noop, "NOOP"},
    {Verb::quit, "QUIT"},
    {Verb::vrfy, "VRFY"},
    {Verb::expn, "EXPN"},
    {Verb::help, "HELP"},
    {Verb::starttls, "STARTTLS"},
    {Verb::auth, "AUTH"},
    {Verb::xforward, "XFORWARD"},
});

// Methods of HTTP and its relatives: a browser that was sent here to speak to us (ALPACA).
constexpr auto methods = std::to_array<std::string_view>(
    {"GET", "POST", "PUT", "HEAD", "CONNECT", "OPTIONS", "DELETE", "PATCH", "TRACE", "PRI"});

bool same_word(std::string_view a, std::string_view b) {
    return a.size() == b.size() && mail::lower(a) == mail::lower(b);
}

bool is_token(std::string_view word) {
    return !word.empty() && std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    });
}

}  // namespace

Verb verb_of(std::string_view word) {
    for (const VerbRow& row : verbs) {
        if (same_word(word, row.name)) return row.verb;
    }
    if (std::ranges::find(methods, word) != methods.end()) return Verb::foreign;
    if (word.size() > 1 && word.ends_with(':') && is_token(word.substr(0, word.size() - 1))) {
        return Verb::foreign;
    }
    return Verb::unknown;
}

std::string_view name_of(Verb verb) {
    const auto row = std::ranges::find(verbs, verb, &VerbRow::verb);
    return row == verbs.end() ? std::string_view("unknown") : row->name;
}

Command split_command(std::string_view line) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    std::string_view argument = line.substr(end);
    argument.remove_prefix(std::min(argument.find_first_not_of(" \t"), argument.size()));
    while (argument.ends_with(' ') || argument.ends_with('\t'))
        argument.remove_suffix(1);
    return {verb_of(line.substr(0, end)), argument};
}

bool is_greeting_name(std::string_view argument) {
    return !argument.empty() && argument.size() <= mail::domain_max &&
           std::ranges::all_of(argument, [](char c) { return c > ' ' && c < 127; });
}

}  // namespace millrace::smtp
