#include <algorithm>
#include <optional>
#include <utility>

#include "common/mail/address_reader.hpp"
#include "common/mail/charset.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;

// Bytes that may stand nowhere, quoted or not.
constexpr std::string_view line_bytes("\0\r\n", 3);

// A stretch of tokens.
struct Span {
    std::size_t begin = 0;
    std::size_t end = 0;
};

class LenientReader {
  public:
    explicit LenientReader(const Tokens& tokens) : tokens_(tokens), list_(tokens.list) {
        const std::size_t none = list_.size();
        next_close_.resize(none + 1, none);
        opens_again_.resize(none + 1, none);
        std::size_t next_open = none;
        for (std::size_t i = none; i-- > 0;) {
            next_close_[i] = is(i, '>') ? i : next_close_[i + 1];
            opens_again_[i] = is(i, ',') || is(i, ';') ? next_open : opens_again_[i + 1];
            if (is(i, '<')) next_open = i;
        }
    }

    Result<AddressReading> run() {
        for (std::size_t i = 0; i < list_.size(); ++i) {
            if (is(i, '<')) {
                // Commas up to the closing bracket belong to a route or to nothing.
                address_seen_ = true;
                if (!is_left_open(i)) i = next_close_[i];
            } else if (is(i, '@')) {
                address_seen_ = true;
            } else if (is(i, ':') && !address_seen_) {
                open_group(i);
            } else if (is(i, ',')) {
                close_element(i, true);
            } else if (is(i, ';')) {
                close_element(i, false);
                close_group();
            }
        }
        close_element(list_.size(), false);
        close_group();
        const bool found = std::ranges::any_of(reading_.list.addresses, [](const Address& a) {
            return a.group || !a.mailboxes.empty();
        });
        if (!found) return failure(Fault::invalid, "there is no address");
        reading_.list.mended = true;
        return std::move(reading_);
    }

  private:
    bool is(std::size_t i, char special) const { return tokens_.is(list_[i], special); }

    // `<a@b, <c@d>`: the first bracket was never closed.
    bool is_left_open(std::size_t open) const {
        return next_close_[open] == list_.size() || opens_again_[open] < next_close_[open];
    }

    // A group inside a group only gives its members to the outer one.
    void open_group(std::size_t colon) {
        if (!group_) {
            group_.emplace();
            group_->group = true;
            group_->group_name = text_of({begin_, colon});
        }
        add_phrase({begin_, colon});
        begin_ = carried_ = colon + 1;
    }

    void close_group() {
        if (!group_) return;
        reading_.list.addresses.push_back(std::move(*group_));
        group_.reset();
    }

    // `Joe, PhD <j@e>`: what stands before a comma without an address is carried into the next
    // element, which may turn out to be its rest.
    void close_element(std::size_t end, bool comma) {
        const Span element{begin_, end};
        if (auto mailbox = read_element(element)) {
            if (group_) {
                group_->mailboxes.push_back(std::move(*mailbox));
            } else {
                Address address;
                address.mailboxes.push_back(std::move(*mailbox));
                reading_.list.addresses.push_back(std::move(address));
            }
            carried_ = end + 1;
        } else if (!comma) {
            carried_ = end + 1;
        }
        begin_ = end + 1;
        address_seen_ = false;
    }

    std::optional<Mailbox> read_element(Span element) {
        std::size_t open = element.end;
        for (std::size_t i = element.begin; i < element.end; ++i)
            if (is(i, '<')) open = i;
        if (open == element.end) return read_bare(element);
        Span inner{open + 1, std::min(next_close_[open], element.end)};
        for (std::size_t i = inner.begin; i < inner.end; ++i)
            if (is(i, ':')) inner.begin = i + 1;  // behind a route
        std::size_t first_open = element.begin;
        while (!is(first_open, '<'))
            ++first_open;

        auto mailbox = read_addr_spec(inner);
        if (!mailbox) return std::nullopt;
        const Span phrase{std::min(carried_, element.begin), first_open};
        mailbox->display_name = text_of(phrase);
        add_phrase(phrase);
        return mailbox;
    }

    // `Joe joe@x.test (Joe)`: the address is what hangs together around the last `@`.
    std::optional<Mailbox> read_bare(Span element) {
        std::size_t at = element.end;
        for (std::size_t i = element.begin; i < element.end; ++i)
            if (is(i, '@')) at = i;
        if (at == element.end) return std::nullopt;
        Span inner{at, at + 1};
        const auto hangs = [this](std::size_t i) {
            return list_[i].kind != Kind::blank && !is(i, '>');
        };
        while (inner.begin > element.begin && hangs(inner.begin - 1))
            --inner.begin;
        while (inner.end < element.end && hangs(inner.end))
            ++inner.end;
        auto mailbox = read_addr_spec(inner);
        if (!mailbox) return std::nullopt;
        mailbox->display_name = text_of({element.begin, inner.begin});
        const std::string behind = text_of({inner.end, element.end});
        if (mailbox->display_name.empty()) mailbox->display_name = behind;
        for (std::size_t i = inner.begin; i < element.end; ++i)
            if (list_[i].kind == Kind::comment) mailbox->comment = unquote(tokens_.bytes(list_[i]));
        return mailbox;
    }

    // Everything around the last `@`, without blanks and comments.
    std::optional<Mailbox> read_addr_spec(Span span) {
        std::size_t at = span.end;
        for (std::size_t i = span.begin; i < span.end; ++i)
            if (is(i, '@')) at = i;
        if (at == span.end) return std::nullopt;
        Mailbox mailbox;
        bool gap = false;
        for (std::size_t i = span.begin; i < at; ++i) {
            const Token& token = list_[i];
            if (token.kind == Kind::blank) {
                gap = !mailbox.local_part.empty();
            } else if (token.kind != Kind::comment) {
                if (std::exchange(gap, false)) mailbox.local_part += ' ';
                const std::string_view bytes = tokens_.bytes(token);
                mailbox.local_part +=
                    token.kind == Kind::quoted ? unquote(bytes) : std::string(bytes);
            }
        }
        bool literal = false;
        for (std::size_t i = at + 1; i < span.end; ++i) {
            const Token& token = list_[i];
            if (token.kind == Kind::blank || token.kind == Kind::comment) continue;
            if (literal) return std::nullopt;
            literal = token.kind == Kind::literal && mailbox.domain.empty();
            if (token.kind != Kind::atom && !tokens_.is(token, '.') && !literal)
                return std::nullopt;
            mailbox.domain +=
                literal ? unfold(tokens_.bytes(token)) : std::string(tokens_.bytes(token));
        }
        if (mailbox.domain.ends_with('.')) mailbox.domain.pop_back();
        const bool sound = mailbox.local_part.find_first_of(line_bytes) == std::string::npos &&
                           is_utf8(mailbox.local_part) && is_utf8(mailbox.domain) &&
                           (literal ? mailbox.domain.find_first_of(line_bytes) == std::string::npos
                                    : is_dot_atom(mailbox.domain));
        if (mailbox.local_part.empty() || !sound) return std::nullopt;
        return mailbox;
    }

    // Words as a reader sees them: quotes off, comments out, blanks folded to one.
    std::string text_of(Span span) const {
        std::string out;
        bool gap = false;
        for (std::size_t i = span.begin; i < span.end; ++i) {
            const Token& token = list_[i];
            if (token.kind == Kind::blank || token.kind == Kind::comment) {
                gap = !out.empty();
                continue;
            }
            const std::string_view bytes = tokens_.bytes(token);
            const char c = bytes.front();
            if (token.kind == Kind::special && (static_cast<unsigned char>(c) < 32 || c == 127))
                continue;
            if (std::exchange(gap, false)) out += ' ';
            out += token.kind == Kind::quoted ? unquote(bytes) : std::string(bytes);
        }
        // A broken quote may hold what no quote can hold when it is printed.
        std::ranges::replace_if(
            out, [](char c) { return c == '\0' || c == '\r' || c == '\n'; }, ' ');
        return out;
    }

    // The stretches of a name between comments.
    void add_phrase(Span span) {
        std::optional<Extent> run;
        for (std::size_t i = span.begin; i < span.end; ++i) {
            const Token& token = list_[i];
            if (token.kind == Kind::blank) continue;
            if (token.kind == Kind::comment) {
                if (run) reading_.phrases.push_back(*run);
                run.reset();
                continue;
            }
            if (!run) run = Extent{token.begin, 0};
            run->size = token.end - run->offset;
        }
        if (run) reading_.phrases.push_back(*run);
    }

    const Tokens& tokens_;
    const std::vector<Token>& list_;
    std::vector<std::size_t> next_close_;   // the first `>` at or behind each token
    std::vector<std::size_t> opens_again_;  // the first `<` behind the next comma or semicolon
    bool address_seen_ = false;             // in this element: a `:` names no group any more
    std::size_t begin_ = 0;                 // of the element
    std::size_t carried_ = 0;               // … with what was carried into it
    std::optional<Address> group_;
    AddressReading reading_;
};

}  // namespace

Result<AddressReading> read_lenient(const Tokens& tokens) {
    return LenientReader(tokens).run();
}

}  // namespace millrace::mail
