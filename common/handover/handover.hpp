#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "common/handover/key.hpp"
#include "common/policy/gate.hpp"

/// What the milter tells the relay about a message: one header field, signed with a key that both
/// have. The milter puts it in behind everything else, the relay takes it out again.
namespace millrace::handover {

constexpr std::string_view field_name = "X-Millrace-Handover";

enum class Verdict {
    judged,    ///< `accept`: the gate has judged and mended it in enforce mode
    untouched  ///< mail of others, which the gate let pass byte for byte
};

struct Handover {
    std::int64_t time = 0;  ///< t: when the milter wrote it, seconds since 1970
    std::string queue_id;   ///< q: of the MTA; never empty
    std::string account;    ///< a: the SASL user; empty without a login
    std::string client;     ///< c: the MTA's client, an IP address; empty for mail without SMTP
    policy::Origin origin = policy::Origin::smtp;  ///< o
    Verdict verdict = Verdict::untouched;          ///< d
    std::string tag;     ///< g: the X-tag in force; empty when nobody looked
    std::string sender;  ///< e: digest_of() the envelope sender as the MTA was given it
    bool operator==(const Handover&) const = default;
};

/// SHA-256 of a text, in lower-case hexadecimal digits.
std::string digest_of(std::string_view text);

/// The longest value of a tag, before its encoding. Nothing longer is written, nor read.
constexpr std::size_t value_max = 512;

/// `v=1;t=…;q=…;a=…;c=…;o=…;d=…;g=…;e=…;s=…`: all tags, in this order, without white space; bytes
/// outside `A-Za-z0-9-._~@:/` as `%` and two upper-case hexadecimal digits; s is the HMAC-SHA-256
/// of all that stands before `;s=`. Empty when the queue id is empty or a value is too long: then
/// nothing is to be handed over.
std::string sign(const Handover& handover, const Key& key);

/// The same as the value of a header field (policy::Edit::value): a leading blank, folded to 78
/// columns with LF + HTAB; white space may stand anywhere and means nothing.
std::string field_value(const Handover& handover, const Key& key);

/// The canonical text of a handover without `;s=…`, signed: what sign() does last.
std::string seal(std::string_view unsigned_text, const Key& key);

/// Reads a field's value. Only what sign() writes with this key is read: of an error, the reason in
/// a few words for the log (`the signature is not of our key`). Compares in constant time, and
/// looks at nothing before the signature has been found good.
std::expected<Handover, std::string> read(std::string_view value, const Key& key);

}  // namespace millrace::handover
