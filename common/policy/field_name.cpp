#include "common/policy/field_name.hpp"

#include <array>

#include "common/mail/header_block.hpp"

namespace millrace::policy {

namespace {

struct Known {
    std::string_view spelling;
    FieldTraits traits;
};

using enum FieldForm;

// Names that are not here are optional fields: unstructured by RFC 5322 §3.6.8.
constexpr std::array known{
    Known{"From", {FieldName::from, addresses}},
    Known{"Sender", {FieldName::sender, addresses}},
    Known{"Reply-To", {FieldName::reply_to, addresses}},
    Known{"To", {FieldName::to, addresses}},
    Known{"Cc", {FieldName::cc, addresses}},
    Known{"Bcc", {FieldName::bcc, addresses}},
    Known{"Subject", {FieldName::subject, text}},
    Known{"Date", {FieldName::date, structured}},
    Known{"Message-ID", {FieldName::message_id, structured}},
    Known{"In-Reply-To", {FieldName::in_reply_to, structured}},
    Known{"References", {FieldName::references, structured}},
    Known{"MIME-Version", {FieldName::mime_version, structured}},
    Known{"Content-Type", {FieldName::content_type, structured}},
    Known{"Content-Transfer-Encoding", {FieldName::content_transfer_encoding, structured}},
    Known{"Content-Description", {FieldName::content_other, text}},
    Known{"X-tag", {FieldName::tag, structured}},
    Known{"List-Id", {FieldName::list_id, structured}},
    Known{"List-Unsubscribe", {FieldName::list_unsubscribe, structured}},
    Known{"Precedence", {FieldName::precedence, structured}},
    Known{"DKIM-Signature", {FieldName::dkim_signature, trace}},
    Known{"Received", {FieldName::other, trace}},
    Known{"Received-SPF", {FieldName::other, trace}},
    Known{"Return-Path", {FieldName::other, trace}},
    Known{"Delivered-To", {FieldName::other, trace}},
    Known{"DomainKey-Signature", {FieldName::other, trace}},
    Known{"Authentication-Results", {FieldName::other, trace}},
    Known{"ARC-Seal", {FieldName::other, trace}},
    Known{"ARC-Message-Signature", {FieldName::other, trace}},
    Known{"ARC-Authentication-Results", {FieldName::other, trace}},
    Known{"Auto-Submitted", {FieldName::other, structured}},
    Known{"Errors-To", {FieldName::other, addresses}},
    Known{"Disposition-Notification-To", {FieldName::other, addresses}},
};

bool has_prefix(std::string_view name, std::string_view prefix) {
    return name.size() > prefix.size() && mail::same_name(name.substr(0, prefix.size()), prefix);
}

}  // namespace

FieldTraits traits_of(std::string_view name) {
    for (const Known& k : known) {
        if (k.spelling.size() == name.size() && mail::same_name(k.spelling, name)) return k.traits;
    }
    if (has_prefix(name, "Content-")) return {FieldName::content_other, structured};
    if (has_prefix(name, "Resent-")) return {FieldName::resent, trace};
    if (has_prefix(name, "List-")) return {FieldName::other, structured};
    return {};
}

std::string_view spelling_of(FieldName name) {
    if (name == FieldName::content_other) return {};
    for (const Known& k : known) {
        if (name != FieldName::other && k.traits.name == name) return k.spelling;
    }
    return {};
}

}  // namespace millrace::policy
