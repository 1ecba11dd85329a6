#include "common/mail/address_lexer.hpp"

#include <algorithm>

#include "common/mail/encoded_word.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/text_encoder.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 32 || c == 127;
}
bool is_8bit(char c) {
    return static_cast<unsigned char>(c) > 127;
}

class Lexer {
  public:
    Lexer(std::string_view text, EncodedWords words) : words_(words) { tokens_.text = text; }

    Tokens run() {
        while (at_ < text().size())
            read();
        return std::move(tokens_);
    }

  private:
    std::string_view text() const { return tokens_.text; }

    void read() {
        const char c = text()[at_];
        if (c == ' ' || c == '\t' || fold_at(at_) != 0) {
            read_blank();
        } else if (c == '"' && !quotes_broken_) {
            read_delimited(Kind::quoted, '"', '"', quotes_broken_);
        } else if (c == '(' && !comments_broken_) {
            read_delimited(Kind::comment, '(', ')', comments_broken_);
        } else if (c == '[' && !literals_broken_) {
            read_delimited(Kind::literal, '[', ']', literals_broken_);
        } else if (const std::size_t n = whole_word(); n != 0) {
            push(Kind::atom, at_ + n);
        } else if (is_atext(c) || is_8bit(c)) {
            std::size_t end = at_;
            while (end < text().size() && (is_atext(text()[end]) || is_8bit(text()[end])))
                ++end;
            push(Kind::atom, end);
        } else {
            if (c == '"' || c == '(' || c == ')' || c == '[' || c == ']' || c == '\\' ||
                is_control(c))
                tokens_.sound = false;
            push(Kind::special, at_ + 1);
        }
    }

    // The size of an encoded-word here that is to stay whole; 0 when there is none.
    std::size_t whole_word() const {
        if (words_ != EncodedWords::whole || text()[at_] != '=') return 0;
        const auto word = read_encoded_word(text().substr(at_, 2 * encoded_word_max));
        if (!word) return 0;
        const bool fits = std::ranges::none_of(
            word->payload, [](char c) { return c == ' ' || c == '"' || is_control(c); });
        return fits ? word->size : 0;
    }

    void push(Kind kind, std::size_t end) {
        tokens_.list.push_back({kind, at_, end});
        at_ = end;
    }

    // The size of a line end that white space follows; 0 when there is none.
    std::size_t fold_at(std::size_t at) const {
        const std::string_view rest = text().substr(at);
        const std::size_t n = rest.starts_with("\r\n") ? 2 : rest.starts_with('\n') ? 1 : 0;
        return n != 0 && n < rest.size() && (rest[n] == ' ' || rest[n] == '\t') ? n : 0;
    }

    void read_blank() {
        std::size_t end = at_;
        std::size_t folds = 0;
        while (end < text().size()) {
            if (text()[end] == ' ' || text()[end] == '\t') {
                ++end;
            } else if (const std::size_t n = fold_at(end); n != 0) {
                end += n;
                ++folds;
            } else {
                break;
            }
        }
        if (folds > 1) tokens_.obsolete = true;
        push(Kind::blank, end);
    }

    void read_delimited(Kind kind, char open, char close, bool& broken) {
        std::size_t depth = 1;
        bool obsolete = false;
        for (std::size_t i = at_ + 1; i < text().size(); ++i) {
            const char c = text()[i];
            if (c == '\\' && i + 1 < text().size() && !is_line_byte(text()[i + 1])) {
                if (is_control(text()[i + 1]) && text()[i + 1] != '\t') obsolete = true;
                ++i;
            } else if (c == close && --depth == 0) {
                tokens_.obsolete = tokens_.obsolete || obsolete;
                push(kind, i + 1);
                return;
            } else if (c == open && kind == Kind::comment) {
                ++depth;
            } else if (c == '[' && kind == Kind::literal) {
                break;
            } else if (is_control(c) && c != '\t') {
                const std::size_t n = fold_at(i);
                if (n == 0 && is_line_byte(c)) tokens_.sound = false;
                if (n != 0) i += n - 1;
                if (n == 0) obsolete = true;
            }
        }
        broken = true;  // no later one can end either: never look again
        tokens_.sound = false;
        push(Kind::special, at_ + 1);
    }

    // Bytes that may stand nowhere in a structured field, not even behind a backslash.
    static bool is_line_byte(char c) { return c == '\0' || c == '\r' || c == '\n'; }

    EncodedWords words_;
    Tokens tokens_;
    std::size_t at_ = 0;
    bool quotes_broken_ = false, comments_broken_ = false, literals_broken_ = false;
};

}  // namespace

Tokens tokenize(std::string_view value, EncodedWords words) {
    return Lexer(value, words).run();
}

std::string unquote(std::string_view token) {
    const std::string inner = unfold(token.substr(1, token.size() - 2));
    std::string out;
    out.reserve(inner.size());
    for (std::size_t i = 0; i < inner.size(); ++i) {
        if (inner[i] == '\\' && i + 1 < inner.size()) ++i;
        out += inner[i];
    }
    return out;
}

bool is_dot_atom(std::string_view text) {
    bool dot_allowed = false;
    for (const char c : text) {
        if (c == '.' ? !dot_allowed : !is_atext(c) && !is_8bit(c)) return false;
        dot_allowed = c != '.';
    }
    return dot_allowed;
}

bool is_plain_phrase(std::string_view text) {
    bool blank_allowed = false;
    for (const char c : text) {
        if (c == ' ' ? !blank_allowed : !is_atext(c) && !is_8bit(c)) return false;
        blank_allowed = c != ' ';
    }
    return blank_allowed;
}

std::string quote(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out += '"';
}

}  // namespace millrace::mail
