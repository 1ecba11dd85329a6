#pragma once

#include <cstdint>
#include <string_view>

/// The header fields the gate knows by name, and how their values are written.
namespace millrace::policy {

enum class FieldName : std::uint8_t {
    other,
    from,
    sender,
    reply_to,
    to,
    cc,
    bcc,
    subject,
    date,
    message_id,
    in_reply_to,
    references,
    mime_version,
    content_type,
    content_transfer_encoding,
    content_other,  ///< any other Content-* field
    tag,            ///< X-tag
    list_id,
    list_unsubscribe,
    precedence,
    dkim_signature,
    resent,  ///< any Resent-* field
};
constexpr unsigned field_names = static_cast<unsigned>(FieldName::resent) + 1;

/// What may be done to a value.
enum class FieldForm : std::uint8_t {
    text,        ///< unstructured (RFC 5322 §3.6.5, §3.6.8): may be decoded and written anew
    addresses,   ///< an address list: display names and comments are text, addresses are not
    structured,  ///< identifiers, dates, parameters: only folding may change
    trace,       ///< written by others on the way (Received, DKIM-Signature): not ours to judge
};

struct FieldTraits {
    FieldName name = FieldName::other;
    FieldForm form = FieldForm::text;
};

/// Any case.
FieldTraits traits_of(std::string_view name);

/// The usual spelling of a known name; empty for `other` and the families.
std::string_view spelling_of(FieldName name);

}  // namespace millrace::policy
