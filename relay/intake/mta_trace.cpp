#include "relay/intake/mta_trace.hpp"

#include <algorithm>

#include "common/mail/domain.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/received.hpp"

namespace millrace::relay {

namespace {

// More is no queue id: Postfix's long ones have 15 characters, Sendmail's 14, Exim's 23.
constexpr std::size_t queue_id_max = 64;

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

// The next word outside comments; empty at the `;` or the end. `text` moves behind it. Postfix
// writes the id of local mail behind a comment: `(Postfix, from userid 0) id 4ABC`.
std::string_view next_word(std::string_view& text) {
    unsigned depth = 0;
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= text.size(); ++at) {
        const char c = at < text.size() ? text[at] : ';';
        const bool ends = is_blank(c) || c == '(' || c == ')' || c == ';';
        if (ends && depth == 0 && at > begin) {
            const std::string_view word = text.substr(begin, at - begin);
            text.remove_prefix(at);
            return word;
        }
        if (c == ';' && (depth == 0 || at >= text.size())) break;
        if (c == '(') ++depth;
        if (c == ')' && depth > 0) --depth;
        if (ends || depth > 0) begin = at + 1;
    }
    text = {};
    return {};
}

// The word behind that one.
std::string word_behind(std::string_view keyword, std::string_view value) {
    while (true) {
        const std::string_view word = next_word(value);
        if (word.empty()) return {};
        if (!mail::same_name(word, keyword)) continue;
        const std::string_view found = next_word(value);
        const bool good = std::ranges::all_of(found, [](char c) { return c > ' ' && c < 127; });
        return std::string(good ? found : std::string_view());
    }
}

std::string queue_id_of(std::string_view value) {
    std::string id = word_behind("id", value);
    return id.size() <= queue_id_max ? id : std::string();
}

}  // namespace

MtaTrace read_mta_trace(std::string_view message) {
    const auto block = mail::parse_header_block(message, mail::LineEnd::crlf);
    const mail::HeaderField* const field = mail::find_field(block.fields, "Received");
    if (field == nullptr) return {};
    return {mail::lower(word_behind("by", field->value)),
            queue_id_of(field->value),
            mail::received_date(field->value)};
}

}  // namespace millrace::relay
