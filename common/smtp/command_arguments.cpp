#include <algorithm>
#include <charconv>
#include <vector>

#include "common/mail/domain.hpp"
#include "common/smtp/command.hpp"
#include "common/smtp/parameters.hpp"
#include "common/smtp/xtext.hpp"

// The arguments of MAIL, RCPT and BDAT.
namespace millrace::smtp {

namespace {

constexpr std::size_t envid_max = 100;  // RFC 3461 §4.4
constexpr std::size_t orcpt_max = 500;  // RFC 3461 §4.2

std::unexpected<Reply> refuse(unsigned code, std::string_view enhanced, std::string_view text) {
    return std::unexpected(reply(code, enhanced, text));
}

bool is(std::string_view text, std::string_view word) {
    return text.size() == word.size() && mail::lower(text) == mail::lower(word);
}

// No value when it is not 1 to 18 digits: more are no size of anything, and 18 cannot overflow.
std::optional<std::uint64_t> read_size(std::string_view text) {
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, fault] = std::from_chars(text.data(), end, value);
    if (fault != std::errc() || stopped != end) return std::nullopt;
    return value;
}

// `FROM:` or `TO:` at the front, which is taken off with the blanks behind it.
bool take_label(std::string_view& argument, std::string_view label) {
    if (!is(argument.substr(0, label.size()), label)) return false;
    argument.remove_prefix(label.size());
    argument.remove_prefix(std::min(argument.find_first_not_of(" \t"), argument.size()));
    return true;
}

bool has_8bit(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) > 127; });
}

// The path must be read before the parameters, but whether it may be UTF-8 stands among them.
bool asks_for_utf8(std::string_view argument) {
    const std::size_t bracket = argument.rfind('>');
    if (bracket == std::string_view::npos) return false;
    ParameterReader reader(argument.substr(bracket + 1));
    for (Parameter parameter; reader.next(parameter) == ParameterReader::Read::parameter;) {
        if (is(parameter.keyword, "SMTPUTF8") && !parameter.value) return true;
    }
    return false;
}

// A bracketed path that cannot be an address is 553, other text where one should be is 501.
Parsed<mail::Path> read_path(std::string_view text,
                             mail::PathKind kind,
                             bool utf8_allowed,
                             std::string_view enhanced) {
    auto path = mail::parse_path(text, kind, utf8_allowed);
    if (!path) {
        if (!text.starts_with('<')) {
            return refuse(501, "5.5.4", "Syntax: the address goes in angle brackets");
        }
        if (has_8bit(text) && !utf8_allowed) {
            return refuse(553, "5.6.7", "A non-ASCII address needs the parameter SMTPUTF8");
        }
        return refuse(553, enhanced, "Bad address: " + path.error().detail);
    }
    if (!path->domain.empty()) {
        const auto domain = mail::ascii_domain(path->domain);
        const bool usable = domain || path->domain.contains('_');
        if (!usable) return refuse(553, enhanced, "Bad address: the domain is no domain name");
    }
    return *std::move(path);
}

// Calls `read` for each parameter; it returns a reply without code when all is well.
template <class Read>
std::optional<Reply> read_parameters(std::string_view text, Dialect dialect, Read read) {
    ParameterReader reader(text);
    std::vector<std::string> seen;
    while (true) {
        Parameter parameter;
        switch (reader.next(parameter)) {
            case ParameterReader::Read::end:
                return std::nullopt;
            case ParameterReader::Read::malformed:
                return reply(501, "5.5.4", "Syntax error in the parameters");
            case ParameterReader::Read::parameter:
                break;
        }
        if (dialect == Dialect::basic) {
            return reply(555, "5.5.4", "Parameters need EHLO");
        }
        std::string keyword = mail::lower(parameter.keyword);
        if (std::ranges::find(seen, keyword) != seen.end()) {
            return reply(501, "5.5.4", "A parameter is given twice");
        }
        seen.push_back(std::move(keyword));
        if (auto bad = read(parameter)) return bad;
    }
}

std::optional<Reply> bad_value(std::string_view keyword) {
    return reply(501, "5.5.4", "Bad value of " + std::string(keyword));
}

std::optional<Reply> not_known() {
    return reply(555, "5.5.4", "A parameter is not known here");
}

std::optional<Reply> read_mail_parameter(const Parameter& parameter, MailArguments& out) {
    const std::string_view value = parameter.value.value_or("");
    if (is(parameter.keyword, "SIZE")) {
        out.size = read_size(value);
        return out.size ? std::nullopt : bad_value("SIZE");
    }
    if (is(parameter.keyword, "BODY")) {
        if (is(value, "7BIT")) out.body = BodyKind::seven_bit;
        if (is(value, "8BITMIME")) out.body = BodyKind::eight_bit_mime;
        return out.body ? std::nullopt : bad_value("BODY");
    }
    if (is(parameter.keyword, "SMTPUTF8")) {
        out.smtputf8 = true;
        return parameter.value ? bad_value("SMTPUTF8") : std::nullopt;
    }
    if (is(parameter.keyword, "RET")) {
        if (is(value, "FULL")) out.ret = "FULL";
        if (is(value, "HDRS")) out.ret = "HDRS";
        return out.ret.empty() ? bad_value("RET") : std::nullopt;
    }
    if (is(parameter.keyword, "ENVID")) {
        out.envid = value;
        const bool good = !value.empty() && value.size() <= envid_max && is_xtext(value);
        return good ? std::nullopt : bad_value("ENVID");
    }
    if (is(parameter.keyword, "AUTH")) {
        return value.size() <= 500 && !value.empty() && is_xtext(value) ? std::nullopt
                                                                        : bad_value("AUTH");
    }
    return not_known();
}

// A comma list of SUCCESS, FAILURE, DELAY, or NEVER alone.
bool read_notify(std::string_view value, NotifyWish& out) {
    out.given = true;
    while (true) {
        const std::size_t comma = value.find(',');
        const std::string_view word = value.substr(0, comma);
        if (is(word, "NEVER")) {
            out.never = true;
        } else if (is(word, "SUCCESS")) {
            out.success = true;
        } else if (is(word, "FAILURE")) {
            out.failure = true;
        } else if (is(word, "DELAY")) {
            out.delay = true;
        } else {
            return false;
        }
        if (comma == std::string_view::npos) break;
        value.remove_prefix(comma + 1);
    }
    return !out.never || (!out.success && !out.failure && !out.delay);
}

// `type;xtext`. The type `utf-8` may hold UTF-8 and `\x{…}` forms (RFC 6533 §3).
bool is_orcpt(std::string_view value, bool utf8_allowed) {
    const std::size_t semicolon = value.find(';');
    if (semicolon == std::string_view::npos || semicolon == 0 || value.size() > orcpt_max) {
        return false;
    }
    const std::string_view type = value.substr(0, semicolon);
    const std::string_view address = value.substr(semicolon + 1);
    const bool token = std::ranges::all_of(type, [](char c) {
        return c > ' ' && c < 127 && !std::string_view("()<>@,;:\\\"/[]?=").contains(c);
    });
    if (!token || address.empty()) return false;
    if (is(type, "utf-8") && utf8_allowed && has_8bit(address)) return true;
    return is_xtext(address);
}

}  // namespace

Parsed<MailArguments> parse_mail(std::string_view argument, Dialect dialect) {
    if (!take_label(argument, "FROM:")) {
        return refuse(501, "5.5.4", "Syntax: MAIL FROM:<address>");
    }
    const bool utf8 = dialect == Dialect::extended && asks_for_utf8(argument);
    auto path = read_path(argument, mail::PathKind::reverse, utf8, "5.1.7");
    if (!path) return std::unexpected(std::move(path.error()));
    MailArguments out;
    const std::string_view rest = argument.substr(path->length);
    out.path = *std::move(path);
    auto bad = read_parameters(
        rest, dialect, [&](const Parameter& p) { return read_mail_parameter(p, out); });
    if (bad) return std::unexpected(*std::move(bad));
    return out;
}

Parsed<RcptArguments> parse_rcpt(std::string_view argument, Dialect dialect, bool utf8_allowed) {
    if (!take_label(argument, "TO:")) return refuse(501, "5.5.4", "Syntax: RCPT TO:<address>");
    auto path = read_path(argument, mail::PathKind::forward, utf8_allowed, "5.1.3");
    if (!path) return std::unexpected(std::move(path.error()));
    RcptArguments out;
    const std::string_view rest = argument.substr(path->length);
    out.path = *std::move(path);
    auto bad = read_parameters(rest, dialect, [&](const Parameter& p) -> std::optional<Reply> {
        const std::string_view value = p.value.value_or("");
        if (is(p.keyword, "NOTIFY")) {
            return read_notify(value, out.notify) ? std::nullopt : bad_value("NOTIFY");
        }
        if (is(p.keyword, "ORCPT")) {
            out.orcpt = value;
            return is_orcpt(value, utf8_allowed) ? std::nullopt : bad_value("ORCPT");
        }
        return not_known();
    });
    if (bad) return std::unexpected(*std::move(bad));
    return out;
}

Parsed<BdatArguments> parse_bdat(std::string_view argument) {
    const std::size_t end = std::min(argument.find_first_of(" \t"), argument.size());
    const auto size = read_size(argument.substr(0, end));
    std::string_view rest = argument.substr(end);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
    if (!size || (!rest.empty() && !is(rest, "LAST"))) {
        return refuse(501, "5.5.4", "Syntax: BDAT size [LAST]");
    }
    return BdatArguments{*size, !rest.empty()};
}

}  // namespace millrace::smtp
