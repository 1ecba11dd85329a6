#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.hpp"
#include "common/mail/subject.hpp"

/// Mailboxes and address lists (RFC 5322 §3.4 with the obsolete forms of §4.4, groups in From by
/// RFC 6854, UTF-8 by RFC 6532), and the paths of SMTP (RFC 5321 §4.1.2). The one parser for
/// everyone who needs an address.
namespace millrace::mail {

struct Mailbox {
    std::string display_name;  ///< unquoted, blanks folded to one; encoded-words as they stand
    std::string local_part;    ///< the meaning: unquoted, unescaped, no CFWS
    std::string domain;        ///< as written without CFWS; a literal with its brackets
    std::string comment;  ///< the text of the last comment behind the address (`a@b (Name)`), or
                          ///< before it when it stands without a display name

    /// `local@domain`, the local part quoted when it has to be.
    std::string address() const;
    bool operator==(const Mailbox&) const = default;
};

/// One mailbox, or a group of mailboxes with a name.
struct Address {
    bool group = false;
    std::string group_name;          ///< unquoted, of a group
    std::vector<Mailbox> mailboxes;  ///< exactly one unless group
    bool operator==(const Address&) const = default;
};

struct AddressList {
    std::vector<Address> addresses;
    bool obsolete = false;  ///< a form of RFC 5322 §4.4: route, CFWS around dots or `@`, empty
                            ///< list elements, dots in a phrase
    bool mended = false;    ///< lenient mode only: strict mode would have refused it

    /// Every mailbox, groups opened, in order.
    std::vector<Mailbox> mailboxes() const;
    bool operator==(const AddressList&) const = default;
};

enum class Reading {
    strict,   ///< the grammar of RFC 5322 §3.4 and §4.4, nothing else
    lenient,  ///< also what people and programs write: specials in display names, `<<a@b>>`, a
              ///< missing `>`, a trailing comma or semicolon, `;` between addresses. Gives what
              ///< strict gives wherever strict gives anything
};

/// An address list (folded or not). Failure (invalid): what is wrong, without bytes of the message;
/// lenient reading fails only when no address at all can be made out. An empty list is a failure in
/// strict reading unless it is a group. Linear.
Result<AddressList> parse_addresses(std::string_view value, Reading reading = Reading::strict);

/// Exactly one mailbox: a Sender field, a setting, an argument.
Result<Mailbox> parse_mailbox(std::string_view value, Reading reading = Reading::strict);

/// A mailbox as SMTP, settings and people give it (RFC 5321 §4.1.2): `local@domain` alone, no
/// display name, brackets, comments or obsolete form; a real domain or address literal; lengths
/// within limits. UTF-8 is allowed.
Result<Mailbox> parse_address(std::string_view text);

/// `Name <a@b>, Group: c@d;` – display names quoted when they need it, never encoded. For strictly
/// parsed lists parse(print(x)) == x, comments aside.
std::string print(const Mailbox& mailbox);
std::string print(const AddressList& list);

/// The list as the value of a field: leading blank, folds LF + SP, lines of at most 76 columns
/// where the addresses allow it, display names encoded where they are not ASCII. Comments are
/// dropped.
std::string write_field(const AddressList& list,
                        std::string_view field_name,
                        const TextOptions& options = {});

/// The domains a careless reader may find in the field: behind the last `@` of the last `<…>`,
/// whatever quotes or comments stand around it; without any `<`, behind the last `@` outside
/// comments. Lower-case A-labels where they are domains.
std::vector<std::string> careless_domains(std::string_view value);

/// Whether readers may disagree about who a field names: a careless reader finds a domain that is
/// none of the list's. `"Someone <someone@junk.test>"@example.com` is ambiguous.
bool is_ambiguous(std::string_view value, const AddressList& list);

/// The domain of an addr-spec or path without brackets: the text after its last unquoted `@`; empty
/// when there is none.
std::string_view domain_of(std::string_view address);

/// RFC 5321 §4.5.3.1: octets; a path is counted with its angle brackets.
constexpr std::size_t local_part_max = 64;
constexpr std::size_t domain_max = 255;
constexpr std::size_t path_max = 256;

/// A path of MAIL or RCPT.
struct Path {
    std::string local_part;  ///< as written, quotes and all
    std::string domain;      ///< as written; a literal with its brackets; empty: null or Postmaster
    bool source_route = false;  ///< one was there and has been ignored (RFC 5321 §4.1.1.3)
    std::size_t length = 0;     ///< bytes of `text` read, up to and with the `>`

    bool null() const { return local_part.empty() && domain.empty(); }
    /// Without angle brackets, as given; empty for the null path.
    std::string address() const;
    bool operator==(const Path&) const = default;
};

enum class PathKind {
    reverse,  ///< MAIL FROM: `<>` is allowed
    forward,  ///< RCPT TO: `<Postmaster>` without a domain is allowed
};

/// The path at the start of `text`, which begins with `<`; what follows the `>` is the caller's.
/// Dots anywhere in a local part are let through, since mailboxes like `a..b` exist; everything
/// else is the grammar's. UTF-8 only when allowed (SMTPUTF8). Failure (invalid): what is wrong, for
/// the reply's text.
Result<Path> parse_path(std::string_view text, PathKind kind, bool utf8_allowed);

}  // namespace millrace::mail
