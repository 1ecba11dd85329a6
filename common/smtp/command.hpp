#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "common/mail/address.hpp"
#include "common/smtp/reply.hpp"

namespace millrace::smtp {

enum class Verb {
    helo,
    ehlo,
    mail,
    rcpt,
    data,
    bdat,
    rset,
    noop,
    quit,
    vrfy,
    expn,
    help,
    starttls,
    auth,
    xforward,
    foreign,  ///< a method of HTTP or another protocol's first word
    unknown,
};

/// `mail`, any case.
Verb verb_of(std::string_view word);
std::string_view name_of(Verb verb);

/// A command line taken apart, arguments not read yet: whether they matter depends on the state.
struct Command {
    Verb verb = Verb::unknown;
    std::string_view argument;  ///< what follows the verb, without blanks around it; into the line
};
/// Total: an unknown verb is a value too. `Label: value` is foreign: a header, so HTTP.
Command split_command(std::string_view line);

enum class BodyKind { seven_bit, eight_bit_mime };

struct MailArguments {
    mail::Path path;
    std::optional<std::uint64_t> size;
    std::optional<BodyKind> body;
    bool smtputf8 = false;
    std::string ret;    ///< `FULL`, `HDRS` or empty
    std::string envid;  ///< xtext as given (RFC 3461 §4.4), or empty
    bool operator==(const MailArguments&) const = default;
};

/// NOTIFY of RFC 3461 §4.1.
struct NotifyWish {
    bool given = false;
    bool never = false;
    bool success = false;
    bool failure = false;
    bool delay = false;
    bool operator==(const NotifyWish&) const = default;
};

struct RcptArguments {
    mail::Path path;
    NotifyWish notify;
    std::string orcpt;  ///< `rfc822;xtext` as given (RFC 3461 §4.2), or empty
    bool operator==(const RcptArguments&) const = default;
};

struct BdatArguments {
    std::uint64_t size = 0;
    bool last = false;
    bool operator==(const BdatArguments&) const = default;
};

/// What was given with HELO: then no parameters are known (RFC 5321 §4.1.1.11).
enum class Dialect { basic, extended };

template <class T>
using Parsed = std::expected<T, Reply>;

/// `FROM:<a@b> SIZE=…`. Blanks before the path are forgiven, as everywhere. Refusals: 501 5.5.4 for
/// syntax, 553 5.1.7 for the address, 555 5.5.4 for a parameter that is not known, 501 5.5.4 for
/// one given twice or with a bad value. AUTH= is checked and forgotten: nobody is trusted with it.
Parsed<MailArguments> parse_mail(std::string_view argument, Dialect dialect);
/// `TO:<a@b> NOTIFY=…`. 553 5.1.3 for the address.
Parsed<RcptArguments> parse_rcpt(std::string_view argument, Dialect dialect, bool utf8_allowed);
/// `86 LAST`. 501 5.5.4; sizes of up to 18 digits.
Parsed<BdatArguments> parse_bdat(std::string_view argument);

/// What EHLO or HELO may be given: a domain, an address literal or what clients really say there
/// (RFC 5321 §4.1.4 forbids to refuse over it), one printable word of at most 255 octets.
bool is_greeting_name(std::string_view argument);

}  // namespace millrace::smtp
