#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::policy {

/// What a check does when it finds its fault.
enum class Action { off, note, repair, reject };

/// H01..H50 of the header checks. The value is the number in the code.
enum class Check : std::uint8_t {
    from_absent = 1,
    to_absent = 2,
    subject_absent = 3,
    date_absent = 4,
    message_id_absent = 5,
    mime_version_absent = 6,
    from_repeated = 10,
    single_repeated = 11,  ///< Sender, Reply-To, Message-ID, Date, Subject, In-Reply-To, References
    list_repeated = 12,    ///< To, Cc, Bcc: merged
    mime_repeated = 13,    ///< Content-Type, Content-Transfer-Encoding, MIME-Version
    from_unparsable = 20,
    from_ambiguous = 21,
    from_several = 22,
    sender_not_one = 23,
    list_unparsable = 24,  ///< To, Cc, Reply-To
    obsolete_form = 25,
    date_unparsable = 26,
    message_id_malformed = 27,
    line_too_long = 30,
    too_large = 31,
    control_characters = 32,
    raw_8bit_text = 33,  ///< in unstructured fields and display names
    raw_8bit_address = 34,
    raw_8bit_elsewhere = 35,
    no_colon = 36,       ///< relay only
    bare_line_end = 40,  ///< relay only
    body_line_too_long = 41,
    body_8bit = 42,
    tag_invalid = 50,
};

/// A known From domain or mailbox: `example.com` (the domain and its subdomains), `=example.com`
/// (exactly),
/// `*.example.com` (subdomains only), `user@example.com` (one mailbox). Stored lower-case, A-label.
struct KnownSender {
    enum class Scope { exact, with_subdomains, only_subdomains, mailbox };
    Scope scope = Scope::with_subdomains;
    std::string name;
    bool operator==(const KnownSender&) const = default;
};

enum class Mode { report_only, enforce };
enum class UnverifiedFrom { sender_header, reject };
enum class SenderTrigger { header_from, mail_from, either };

/// The gate's settings: an immutable snapshot. The defaults are the documented ones (milter.md
/// §4.2, §6.1).
struct Settings {
    Mode mode = Mode::enforce;
    std::vector<KnownSender> known;  ///< empty: the Sender rule sleeps
    std::string sender;  ///< mailbox for added Sender fields; empty: postmaster@HOSTNAME is filled
                         ///< in by config
    UnverifiedFrom unverified_from = UnverifiedFrom::sender_header;
    SenderTrigger trigger = SenderTrigger::header_from;
    std::array<std::optional<Action>, 64>
        actions{};  ///< by Check number; unset = default_action(check)
    std::string fallback_charset = "windows-1252";  ///< for raw 8-bit text that is not UTF-8
    std::size_t tag_length_max = 64;
    std::size_t field_size_max = 60'000;   ///< bytes in one header field
    std::size_t block_size_max = 262'144;  ///< bytes in the whole header block
    std::size_t field_count_max = 1'000;
    std::string
        message_id_domain;  ///< right side of an added Message-ID; config fills the hostname

    /// The action in force. A check that cannot repair and is set to `repair` does what its default
    /// says.
    Action action(Check check) const;
    bool operator==(const Settings&) const = default;
};

/// One row of the table of checks: what the reference page, `lint` and the configuration know about
/// a check.
struct CheckRow {
    Check check;
    Action action;                 ///< the default
    Action otherwise;              ///< done when this message's fault cannot be repaired
    bool repairable;               ///< `repair` may be configured
    unsigned code;                 ///< of the refusal: 550, 552
    std::string_view enhanced;     ///< `5.6.0`
    std::string_view fault;        ///< `From absent`
    std::string_view repair_text;  ///< what `repair` does; empty when it may not be configured
    std::string_view advice;       ///< what the sender is told to do
};

/// Every check, in the order of the codes.
std::span<const CheckRow> check_table();
const CheckRow& row_of(Check check);

Action default_action(Check check);
/// Whether the check knows a repair: the configuration refuses `repair` for one that does not.
bool can_repair(Check check);
/// `H04` <-> Check. Unknown codes give no value.
std::optional<Check> check_from_code(std::string_view code);
std::string code_of(Check check);
/// Parses the forms of KnownSender; domains are brought to lower-case A-label form. No value when
/// malformed.
std::optional<KnownSender> parse_known_sender(std::string_view text);

}  // namespace millrace::policy
