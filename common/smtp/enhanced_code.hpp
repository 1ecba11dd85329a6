#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::smtp {

/// An enhanced mail system status code (RFC 3463 §2): class 2, 4 or 5, subject and detail 0..999.
struct EnhancedCode {
    unsigned klass = 2;
    unsigned subject = 0;
    unsigned detail = 0;
    bool operator==(const EnhancedCode&) const = default;

    /// `4.7.1`.
    std::string text() const;
    /// The whole text is a code. No leading zeros, as RFC 3463 §2 asks.
    static std::optional<EnhancedCode> parse(std::string_view text);
};

/// How many bytes at the start of a reply's text are an enhanced code of that class, with the
/// blanks behind it; 0 when there is none. A code of another class than the reply's is none: it
/// contradicts the code that counts (RFC 2034 §4).
struct LeadingCode {
    std::size_t length = 0;
    EnhancedCode code;
};
LeadingCode leading_enhanced_code(std::string_view text, unsigned klass);

}  // namespace millrace::smtp
