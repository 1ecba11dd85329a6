#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/time.hpp"
#include "common/mail/header_block.hpp"
#include "common/policy/settings.hpp"

/// The gate: envelope + header block + settings -> a verdict and a list of edits. The milter and
/// the relay call the same function. Pure, total (never throws on any bytes), linear, idempotent:
/// the edited message evaluates to the same verdict and no edits.
namespace millrace::policy {

/// How the message came to us.
enum class Origin {
    submission,  ///< SASL-authenticated, or from a client listed as ours
    smtp,        ///< any other SMTP client
    local,       ///< non-SMTP: pickup, sendmail(1), cron
};

struct Envelope {
    std::string_view mail_from;  ///< without angle brackets; empty for the null sender
    std::string_view account;    ///< SASL user or account name; empty when unknown
    Origin origin = Origin::smtp;
    bool smtputf8 = false;             ///< the client asked for SMTPUTF8
    bool mta_adds_message_id = false;  ///< Sendmail: adds Date and Message-ID after us
};

/// One change to the header block. `value` is canonical: a leading blank, folds as `\n` + white
/// space, no CR, no NUL, no physical line over 998 octets; at most 78 columns where folding allows
/// it.
struct Edit {
    enum class Kind {
        append,      ///< add at the end of the block
        insert_top,  ///< add above everything
        replace,  ///< replace the value of the nth field of that name (1-based, counted before any
                  ///< edit)
        remove,   ///< delete the nth field of that name (counted before any edit)
    };
    Kind kind = Kind::append;
    std::string name;
    std::string value;  ///< unused for remove
    unsigned nth = 0;   ///< unused for append and insert_top
    bool operator==(const Edit&) const = default;
};

/// One fault found, whatever was done about it.
struct Defect {
    std::string code;  ///< `H03`, or a word: `subject-charset-guess`, `subject-mislabel-suspect`, …
    std::string
        detail;  ///< `Subject missing`: names the header and the fault, no bytes of the message
    bool operator==(const Defect&) const = default;
};

struct Verdict {
    enum class Kind {
        accept,
        reject,
        untouched,  ///< mail the gate does not act on (design §6): passes byte for byte
    };
    Kind kind = Kind::accept;
    unsigned code = 250;   ///< basic reply code of a reject: 550, 552
    std::string enhanced;  ///< `5.6.0`
    std::string text;      ///< one line for the sender: the header, the fault, what to do
    bool operator==(const Verdict&) const = default;
};

struct Outcome {
    Verdict verdict;
    std::vector<Edit> edits;  ///< to be applied only when the verdict is accept and mode is enforce
    std::vector<Defect> defects;
    std::string tag = "email";  ///< the valid X-tag, or `email`
    bool bulk = false;          ///< List-Unsubscribe, List-Id or Precedence says so
    bool operator==(const Outcome&) const = default;
};

/// What the gate may need to invent: given from outside so that the result is a function of its
/// arguments.
struct Invention {
    std::string_view date;             ///< RFC 5322 date-time for a missing Date
    std::string_view message_id_left;  ///< a unique left side for a missing Message-ID
};

/// Decides. In report_only mode the outcome says what would be done (verdict, edits, defects); it
/// is the caller who does nothing.
Outcome evaluate(const Envelope& envelope,
                 std::span<const mail::HeaderField> fields,
                 const Settings& settings,
                 const Invention& invention);

/// The model of the edits: the fields in order after they have been applied. The milter against a
/// real MTA and the relay's own applier are compared with this.
std::vector<mail::OwnedField> apply(std::span<const mail::HeaderField> fields,
                                    std::span<const Edit> edits);

}  // namespace millrace::policy
