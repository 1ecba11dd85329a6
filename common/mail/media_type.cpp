#include "common/mail/media_type.hpp"

#include <algorithm>
#include <map>

#include "common/mail/address_lexer.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/transfer_encoding.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;
using Parameters = std::vector<std::pair<std::string, std::string>>;

std::string percent_decode(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const int high = text[i] == '%' && i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
        const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
        if (low < 0) {
            out += text[i];
        } else {
            out += static_cast<char>(high << 4 | low);
            i += 2;
        }
    }
    return out;
}

// The pieces of one parameter (RFC 2231 §3, §4), by number.
struct Pieces {
    struct Piece {
        std::string value;
        bool encoded = false;
    };
    std::map<unsigned, Piece> by_number;
};

// `name*`, `name*0`, `name*0*`: the bare name, the number and whether the value is percent-encoded.
bool split_name(std::string_view name, std::string& bare, unsigned& number, bool& encoded) {
    const std::size_t star = name.find('*');
    if (star == std::string_view::npos || star == 0) return false;
    bare = name.substr(0, star);
    std::string_view rest = name.substr(star + 1);
    encoded = rest.empty() || rest.ends_with('*');
    if (rest.ends_with('*')) rest.remove_suffix(1);
    if (rest.size() > 4) return false;
    number = 0;
    for (const char c : rest) {
        if (c < '0' || c > '9') return false;
        number = number * 10 + static_cast<unsigned>(c - '0');
    }
    return true;
}

std::string join(const Pieces& pieces) {
    std::string charset;
    std::string bytes;
    unsigned expected = 0;
    for (const auto& [number, piece] : pieces.by_number) {
        if (number != expected++) break;  // a piece is missing: what follows has lost its place
        std::string_view value = piece.value;
        if (piece.encoded && number == 0) {
            const std::size_t first = value.find('\'');
            const std::size_t second =
                first == std::string_view::npos ? first : value.find('\'', first + 1);
            if (second != std::string_view::npos) {
                charset = value.substr(0, first);
                value.remove_prefix(second + 1);
            }
        }
        bytes += piece.encoded ? percent_decode(value) : std::string(value);
    }
    return charset.empty() ? bytes : decode_charset_lossy(bytes, charset);
}

// A token or quoted-string of RFC 2045 §5.1, which allows more than an atom: up to `;` or a blank.
std::string read_value(const Tokens& tokens, std::size_t& i) {
    std::string out;
    for (; i < tokens.list.size(); ++i) {
        const Token& token = tokens.list[i];
        if (token.kind == Kind::blank || token.kind == Kind::comment || tokens.is(token, ';'))
            break;
        const std::string_view bytes = tokens.bytes(token);
        out += token.kind == Kind::quoted ? unquote(bytes) : std::string(bytes);
        if (token.kind == Kind::quoted) {
            ++i;
            break;
        }
    }
    return out;
}

void skip_blanks(const Tokens& tokens, std::size_t& i) {
    while (i < tokens.list.size() &&
           (tokens.list[i].kind == Kind::blank || tokens.list[i].kind == Kind::comment ||
            static_cast<unsigned char>(tokens.bytes(tokens.list[i]).front()) < 32))
        ++i;
}

Parameters read_parameters(const Tokens& tokens, std::size_t i) {
    Parameters parameters;
    std::map<std::string, Pieces> split;
    while (i < tokens.list.size()) {
        if (!tokens.is(tokens.list[i], ';')) {
            ++i;
            continue;
        }
        ++i;
        skip_blanks(tokens, i);
        if (i == tokens.list.size() || tokens.list[i].kind != Kind::atom) continue;
        // `=` is an atom byte: the name ends at the first one.
        const std::string_view atom = tokens.bytes(tokens.list[i]);
        const std::size_t equals = atom.find('=');
        std::string name = lower(atom.substr(0, equals));
        std::string value;
        ++i;
        if (equals == std::string_view::npos) {
            skip_blanks(tokens, i);
            if (i == tokens.list.size() || !tokens.bytes(tokens.list[i]).starts_with('=')) continue;
            value = tokens.bytes(tokens.list[i]).substr(1);
            ++i;
        } else {
            value = atom.substr(equals + 1);
        }
        if (value.empty()) skip_blanks(tokens, i);
        value += read_value(tokens, i);

        std::string bare;
        unsigned number = 0;
        bool encoded = false;
        if (split_name(name, bare, number, encoded))
            split[bare].by_number.try_emplace(number, Pieces::Piece{std::move(value), encoded});
        else
            parameters.emplace_back(std::move(name), std::move(value));
    }
    for (const auto& [name, pieces] : split) {
        // The extended form is meant to win over the plain one beside it (RFC 2231 §3).
        std::erase_if(parameters, [&name](const auto& p) { return p.first == name; });
        parameters.emplace_back(name, join(pieces));
    }
    return parameters;
}

}  // namespace

std::string_view MediaType::parameter(std::string_view name) const {
    const auto found =
        std::ranges::find_if(parameters, [name](const auto& p) { return p.first == name; });
    return found == parameters.end() ? std::string_view{} : std::string_view(found->second);
}

std::optional<MediaType> parse_media_type(std::string_view value) {
    const Tokens tokens = tokenize(value);
    std::size_t i = 0;
    skip_blanks(tokens, i);
    if (i == tokens.list.size() || tokens.list[i].kind != Kind::atom) return std::nullopt;
    // `/` is an atom byte too; blanks around it are obsolete but meant.
    std::string text;
    bool blank = false;
    for (; i < tokens.list.size(); ++i) {
        const Token& token = tokens.list[i];
        if (token.kind == Kind::blank || token.kind == Kind::comment) {
            blank = true;
            continue;
        }
        const std::string_view bytes = tokens.bytes(token);
        const bool joins = !blank || text.empty() || text.ends_with('/') || bytes.starts_with('/');
        if ((token.kind != Kind::atom && !tokens.is(token, '.')) || !joins) break;
        text += bytes;
        blank = false;
    }
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == text.size()) return std::nullopt;
    MediaType type;
    type.type = lower(std::string_view(text).substr(0, slash));
    type.subtype = lower(std::string_view(text).substr(slash + 1));
    type.parameters = read_parameters(tokens, i);
    return type;
}

std::string charset_of(std::string_view content_type) {
    const auto type = parse_media_type(content_type);
    return type ? std::string(type->parameter("charset")) : std::string();
}

}  // namespace millrace::mail
