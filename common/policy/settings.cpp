#include "common/policy/settings.hpp"

#include <array>

#include "common/base/check.hpp"
#include "common/mail/address.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"

namespace millrace::policy {

namespace {

using enum Action;

constexpr std::string_view content = "5.6.0";

// Defaults and the reasons behind them: common/policy/README.md.
constexpr std::array table{
    CheckRow{Check::from_absent,
             reject,
             reject,
             true,
             550,
             content,
             "From absent",
             "adds the envelope sender",
             "add it and send again"},
    CheckRow{Check::to_absent,
             reject,
             reject,
             true,
             550,
             content,
             "To absent",
             "adds To: undisclosed-recipients:;",
             "add it and send again"},
    CheckRow{Check::subject_absent,
             reject,
             reject,
             true,
             550,
             content,
             "Subject absent",
             "adds an empty one",
             "add it and send again"},
    CheckRow{Check::date_absent,
             repair,
             note,
             true,
             550,
             content,
             "Date absent",
             "adds the time of arrival",
             "add it and send again"},
    CheckRow{Check::message_id_absent,
             repair,
             note,
             true,
             550,
             content,
             "Message-ID absent",
             "adds one",
             "add it and send again"},
    CheckRow{Check::mime_version_absent,
             repair,
             note,
             true,
             550,
             content,
             "MIME-Version absent beside Content-* fields",
             "adds 1.0",
             "add MIME-Version: 1.0"},
    CheckRow{Check::from_repeated,
             reject,
             reject,
             false,
             550,
             content,
             "From repeated",
             "",
             "send exactly one"},
    CheckRow{Check::single_repeated,
             repair,
             reject,
             true,
             550,
             content,
             "Sender, Reply-To, Message-ID, Date, Subject, In-Reply-To or References repeated",
             "drops identical repeats; others are refused",
             "send exactly one"},
    CheckRow{Check::list_repeated,
             repair,
             reject,
             true,
             550,
             content,
             "To, Cc or Bcc repeated",
             "merges them into the first",
             "put all addresses into one field"},
    CheckRow{Check::mime_repeated,
             repair,
             reject,
             true,
             550,
             content,
             "Content-Type, Content-Transfer-Encoding or MIME-Version repeated",
             "drops identical repeats; others are refused",
             "send exactly one"},
    CheckRow{Check::from_unparsable,
             reject,
             reject,
             false,
             550,
             content,
             "From holds no valid mailbox",
             "",
             "write it as Name <user@example.com>, with quotes around special characters"},
    CheckRow{Check::from_ambiguous,
             reject,
             reject,
             false,
             550,
             "5.7.1",
             "From can be read as two different domains",
             "",
             "leave only one address in it"},
    CheckRow{Check::from_several,
             reject,
             reject,
             true,
             550,
             content,
             "From with several mailboxes",
             "adds a Sender",
             "name one author"},
    CheckRow{Check::sender_not_one,
             reject,
             reject,
             true,
             550,
             content,
             "Sender is not exactly one mailbox",
             "puts the operator's mailbox in its place",
             "write one mailbox into it or leave it out"},
    CheckRow{Check::list_unparsable,
             note,
             note,
             true,
             550,
             content,
             "To, Cc or Reply-To unparsable",
             "writes what a lenient reader understands",
             "write addresses as Name <user@example.com>, separated by commas"},
    CheckRow{Check::obsolete_form,
             note,
             note,
             false,
             550,
             content,
             "a form of RFC 5322 §4 (obsolete)",
             "",
             "write it in the current form"},
    CheckRow{Check::date_unparsable,
             note,
             note,
             true,
             550,
             content,
             "Date unparsable",
             "puts the time of arrival in its place, keeps X-Original-Date",
             "write it as Tue, 24 Nov 2026 08:15:30 +0000"},
    CheckRow{Check::message_id_malformed,
             note,
             note,
             true,
             550,
             content,
             "Message-ID is not <left@right>",
             "adds the brackets, or a new one and X-Original-Message-ID",
             "write it as <unique@example.com>"},
    CheckRow{Check::line_too_long,
             repair,
             reject,
             true,
             550,
             content,
             "header line over 998 octets",
             "folds it, or encodes it where there is no place to fold",
             "fold it at white space"},
    CheckRow{Check::too_large,
             reject,
             reject,
             false,
             552,
             "5.3.4",
             "header field or header block too large",
             "",
             "send fewer or smaller header fields"},
    CheckRow{Check::control_characters,
             repair,
             reject,
             true,
             550,
             content,
             "control characters in a header",
             "removes them from free text; refused in addresses and identifiers",
             "remove them"},
    CheckRow{Check::raw_8bit_text,
             repair,
             note,
             true,
             550,
             content,
             "raw 8-bit text in a header",
             "encodes it by RFC 2047",
             "encode it by RFC 2047"},
    CheckRow{Check::raw_8bit_address,
             repair,
             reject,
             true,
             550,
             "5.6.7",
             "8-bit address without SMTPUTF8",
             "brings the domain to A-labels; a local part is refused",
             "send it with SMTPUTF8 or use an ASCII address"},
    CheckRow{Check::raw_8bit_elsewhere,
             note,
             note,
             false,
             550,
             content,
             "raw 8-bit bytes in a structured header",
             "",
             "write it in ASCII"},
    CheckRow{Check::no_colon,
             reject,
             reject,
             true,
             550,
             content,
             "a line of the header block is no field (relay only)",
             "begins the body there with an empty line",
             "end the header block with an empty line"},
    CheckRow{Check::bare_line_end,
             reject,
             reject,
             true,
             550,
             content,
             "bare CR or bare LF (relay only)",
             "makes them CRLF",
             "end every line with CRLF"},
    CheckRow{Check::body_line_too_long,
             repair,
             note,
             true,
             550,
             content,
             "body line over 998 octets (relay only)",
             "re-encodes the part; a submission listener refuses",
             "wrap the lines or use quoted-printable or base64"},
    CheckRow{Check::body_8bit,
             off,
             off,
             false,
             550,
             content,
             "8-bit body without 8BITMIME (relay only)",
             "",
             "declare BODY=8BITMIME or use quoted-printable or base64"},
    CheckRow{Check::tag_invalid,
             note,
             note,
             false,
             550,
             content,
             "X-tag is not 1 to 64 letters, digits and dashes",
             "",
             "use letters, digits and dashes only"},
};

bool is_label_sequence(std::string_view domain) {
    return domain.find('.') != std::string_view::npos && mail::is_host_name(domain);
}

}  // namespace

std::span<const CheckRow> check_table() {
    return table;
}

const CheckRow& row_of(Check check) {
    for (const CheckRow& row : table) {
        if (row.check == check) return row;
    }
    check_failed("every Check has a row", __FILE__, __LINE__);
}

Action default_action(Check check) {
    return row_of(check).action;
}

bool can_repair(Check check) {
    return row_of(check).repairable;
}

Action Settings::action(Check check) const {
    const auto number = static_cast<std::size_t>(check);
    MILLRACE_CHECK(number < actions.size());
    const Action fallback = default_action(check);
    const Action chosen = actions[number].value_or(fallback);
    return chosen == repair && !can_repair(check) ? fallback : chosen;
}

std::optional<Check> check_from_code(std::string_view code) {
    for (const CheckRow& row : table) {
        if (code_of(row.check) == code) return row.check;
    }
    return std::nullopt;
}

std::string code_of(Check check) {
    const auto number = static_cast<unsigned>(check);
    return {'H', static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
}

std::optional<KnownSender> parse_known_sender(std::string_view text) {
    text = mail::trim(text);
    KnownSender known;
    if (text.find('@') != std::string_view::npos) {
        const auto mailbox = mail::parse_address(text);
        if (!mailbox) return std::nullopt;
        auto domain = mail::ascii_domain(mailbox->domain);
        if (!domain || !is_label_sequence(*domain)) return std::nullopt;
        known.scope = KnownSender::Scope::mailbox;
        known.name = mail::lower(mailbox->local_part) + '@' + *domain;
        return known;
    }
    if (text.starts_with('=')) {
        known.scope = KnownSender::Scope::exact;
        text.remove_prefix(1);
    } else if (text.starts_with("*.")) {
        known.scope = KnownSender::Scope::only_subdomains;
        text.remove_prefix(2);
    }
    auto domain = mail::ascii_domain(text);
    if (!domain || !is_label_sequence(*domain)) return std::nullopt;
    known.name = std::move(*domain);
    return known;
}

}  // namespace millrace::policy
