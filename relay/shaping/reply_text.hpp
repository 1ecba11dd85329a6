#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/time.hpp"
#include "relay/shaping/typed.hpp"

namespace millrace::relay {

/// An enhanced code of RFC 3463, in numbers.
struct EnhancedCode {
    unsigned klass = 0;
    unsigned subject = 0;
    unsigned detail = 0;
    bool operator==(const EnhancedCode&) const = default;
};
/// `4.7.28`; no value when it is none.
std::optional<EnhancedCode> enhanced_code(std::string_view text);

/// A refusal in the form in which it is compared with patterns.
struct ReplyText {
    unsigned code = 0;
    std::optional<EnhancedCode> enhanced;  ///< the reply's own, or the one its text carries
    /// Lower-case, accents off, typographic quotes plain, runs of blanks one blank, and without the
    /// codes that a log repeats where the reply's lines met; at most 4 KiB.
    std::string said;

    /// The enhanced code when it does not contradict the basic one (RFC 3463 §2).
    const EnhancedCode* believed() const {
        return enhanced && enhanced->klass == code / 100 ? &*enhanced : nullptr;
    }
};
/// Pure, total, linear.
ReplyText read_reply(unsigned code, std::string_view enhanced, std::string_view text);
/// The form that `said` has, for phrases.
std::string plain_text(std::string_view text);

/// Whether a phrase stands in the text: it begins where a word begins; one of at most four
/// characters (`spf`, `rbl`, `ptr`) ends where the word ends, too. Both in the form of
/// plain_text().
bool says(std::string_view text, std::string_view phrase);

/// On whom the reply says it falls, by what it names first: our address, the sender's domain, or a
/// link in the message. sender_domain: lower-case; may be empty.
std::optional<Axis> axis_in(std::string_view said, std::string_view sender_domain);

/// How long the reply asks us to wait (`try again in 300 seconds`, `greylisted for 5 minutes`),
/// within a day; zero when it names no time.
Duration asked_pause(std::string_view said);

}  // namespace millrace::relay
