#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// The lexical tokens of structured fields (RFC 5322 §3.2). Inside the room.
namespace millrace::mail {

struct Token {
    enum class Kind {
        atom,     ///< atext and bytes over 127
        quoted,   ///< a quoted-string with its quotes
        literal,  ///< `[…]`
        comment,  ///< `(…)`, nested ones inside
        blank,    ///< SP, HTAB, folds
        special,  ///< one of `<>,;:@.\` or what is out of place: a control, an unpaired quote
    };
    Kind kind;
    std::size_t begin;
    std::size_t end;
};

struct Tokens {
    std::string_view text;
    std::vector<Token> list;
    bool sound = true;      ///< every byte has its place, every quote and bracket its partner
    bool obsolete = false;  ///< controls in quotes, comments or literals; blank folded lines

    std::string_view bytes(const Token& token) const {
        return text.substr(token.begin, token.end - token.begin);
    }
    bool is(const Token& token, char special) const {
        return token.kind == Token::Kind::special && text[token.begin] == special;
    }
};

/// Whether specials inside an encoded-word end it, as the grammar has it, or it stays one atom, as
/// those who wrote `=?utf-8?Q?Doe,_John?=` meant it.
enum class EncodedWords { by_the_grammar, whole };

/// Cuts a field value into tokens. Total and linear: a quote, comment or literal that never ends is
/// one special and the rest is read on.
Tokens tokenize(std::string_view value, EncodedWords words = EncodedWords::by_the_grammar);

/// A quoted-string or comment without its delimiters: folds and backslashes taken out.
std::string unquote(std::string_view token);

/// Atoms with single dots between them (RFC 5322 §3.2.3, RFC 6532 §3.2).
bool is_dot_atom(std::string_view text);

/// Atoms with single blanks between them: needs no quotes as a display name.
bool is_plain_phrase(std::string_view text);

/// In quotes, with backslashes where they are needed.
std::string quote(std::string_view text);

}  // namespace millrace::mail
