#include <optional>
#include <utility>

#include "common/mail/address_reader.hpp"
#include "common/mail/charset.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;

// Words of a phrase or a local part, with what stood between them.
struct Word {
    const Token* token;
    bool dot = false;      // it is a `.`
    bool spaced = false;   // CFWS stands before it
    bool comment = false;  // … and a comment is in that
};

class StrictReader {
  public:
    explicit StrictReader(const Tokens& tokens) : tokens_(tokens) {}

    Result<AddressReading> run() {
        if (!tokens_.sound) return fail("a quote, bracket or control character is out of place");
        reading_.list.obsolete = tokens_.obsolete;
        if (!read_list(reading_.list.addresses, false)) return fail(error_);
        if (reading_.list.addresses.empty()) return fail("there is no address");
        return std::move(reading_);
    }

  private:
    static std::unexpected<Failure> fail(std::string detail) {
        return failure(Fault::invalid, std::move(detail));
    }

    bool wrong(const char* what) {
        if (error_.empty()) error_ = what;
        return false;
    }

    const Token* peek() const { return at_ < tokens_.list.size() ? &tokens_.list[at_] : nullptr; }

    bool take(char special) {
        const Token* token = peek();
        if (token == nullptr || !tokens_.is(*token, special)) return false;
        ++at_;
        return true;
    }

    bool is_next(char special) const {
        const Token* token = peek();
        return token != nullptr && tokens_.is(*token, special);
    }

    // Comments and folding white space; true when there was some.
    bool skip_cfws() {
        const std::size_t begin = at_;
        for (; peek() != nullptr; ++at_) {
            if (peek()->kind == Kind::comment)
                comment_ = peek();
            else if (peek()->kind != Kind::blank)
                break;
        }
        return at_ != begin;
    }

    void obsolete() { reading_.list.obsolete = true; }

    bool read_list(std::vector<Address>& out, bool in_group) {
        while (true) {
            comment_ = nullptr;
            skip_cfws();
            if (take(',')) {
                obsolete();
                continue;
            }
            if (peek() == nullptr || (in_group && is_next(';'))) return true;
            if (!read_address(out, in_group)) return false;
            skip_cfws();
            if (take(',')) {
                skip_cfws();
                if (peek() == nullptr || (in_group && is_next(';'))) obsolete();
                continue;
            }
            if (peek() == nullptr || (in_group && is_next(';'))) return true;
            return wrong("something follows an address without a comma");
        }
    }

    std::vector<Word> read_words() {
        std::vector<Word> words;
        bool spaced = false;
        bool comment = false;
        for (; peek() != nullptr; ++at_) {
            const Token& token = *peek();
            if (token.kind == Kind::blank || token.kind == Kind::comment) {
                spaced = true;
                comment = comment || token.kind == Kind::comment;
                if (token.kind == Kind::comment) comment_ = &token;
                continue;
            }
            const bool dot = tokens_.is(token, '.');
            if (token.kind != Kind::atom && token.kind != Kind::quoted && !dot) break;
            words.push_back({&token, dot, spaced, comment});
            spaced = false;
            comment = false;
        }
        trailing_cfws_ = spaced;
        return words;
    }

    bool read_address(std::vector<Address>& out, bool in_group) {
        const std::vector<Word> words = read_words();
        if (is_next('<')) {
            Mailbox mailbox;
            if (!words.empty() && !read_phrase(words, mailbox.display_name)) return false;
            if (!read_angle(mailbox)) return false;
            add(out, std::move(mailbox));
            return true;
        }
        if (is_next(':')) {
            if (in_group) return wrong("a group stands in a group");
            if (words.empty()) return wrong("a group has no name");
            return read_group(words, out);
        }
        if (!is_next('@')) return wrong("an address has no @");
        Mailbox mailbox;
        const Token* before = comment_;
        if (!read_addr_spec(words, mailbox)) return false;
        if (before != nullptr) mailbox.comment = unquote(tokens_.bytes(*before));
        add(out, std::move(mailbox));
        return true;
    }

    // A mailbox is complete: the last comment behind it may name its owner.
    void add(std::vector<Address>& out, Mailbox mailbox) {
        comment_ = nullptr;
        skip_cfws();
        if (comment_ != nullptr) mailbox.comment = unquote(tokens_.bytes(*comment_));
        Address address;
        address.mailboxes.push_back(std::move(mailbox));
        out.push_back(std::move(address));
    }

    bool read_phrase(const std::vector<Word>& words, std::string& name) {
        if (words.front().dot) return wrong("a display name starts with a dot");
        Extent run{words.front().token->begin, 0};
        for (const Word& word : words) {
            if (word.dot) obsolete();
            if (word.spaced && &word != &words.front()) name += ' ';
            const std::string_view bytes = tokens_.bytes(*word.token);
            name += word.token->kind == Kind::quoted ? unquote(bytes) : std::string(bytes);
            if (word.comment && &word != &words.front()) {
                reading_.phrases.push_back(run);
                run.offset = word.token->begin;
            }
            run.size = word.token->end - run.offset;
        }
        reading_.phrases.push_back(run);
        return true;
    }

    bool read_group(const std::vector<Word>& words, std::vector<Address>& out) {
        Address group;
        group.group = true;
        if (!read_phrase(words, group.group_name)) return false;
        take(':');
        std::vector<Address> members;
        if (!read_list(members, true)) return false;
        if (!take(';')) return wrong("a group does not end");
        for (Address& member : members)
            for (Mailbox& mailbox : member.mailboxes)
                group.mailboxes.push_back(std::move(mailbox));
        out.push_back(std::move(group));
        return true;
    }

    bool read_angle(Mailbox& mailbox) {
        take('<');
        skip_cfws();
        if (is_next('@') || is_next(',')) {
            if (!read_route()) return false;
            obsolete();
        }
        const std::vector<Word> words = read_words();
        if (!is_next('@')) return wrong("an address has no @");
        if (!read_addr_spec(words, mailbox)) return false;
        skip_cfws();
        return take('>') || wrong("an angle bracket is not closed");
    }

    bool read_route() {
        std::string ignored;
        while (true) {
            skip_cfws();
            if (take(',')) continue;
            if (take(':')) return true;
            if (!take('@')) return wrong("a source route is malformed");
            if (!read_domain(ignored)) return false;
            ignored.clear();
        }
    }

    bool read_addr_spec(const std::vector<Word>& words, Mailbox& mailbox) {
        if (words.empty()) return wrong("an address has no local part");
        bool dot_wanted = false;
        for (const Word& word : words) {
            if (word.dot != dot_wanted) return wrong("a local part is malformed");
            dot_wanted = !dot_wanted;
            const std::string_view bytes = tokens_.bytes(*word.token);
            const bool quoted = word.token->kind == Kind::quoted;
            if (word.spaced && &word != &words.front()) obsolete();
            if (quoted && words.size() > 1) obsolete();
            mailbox.local_part += quoted ? unquote(bytes) : std::string(bytes);
        }
        if (!dot_wanted) return wrong("a local part ends with a dot");
        if (!is_utf8(mailbox.local_part)) return wrong("a local part is neither ASCII nor UTF-8");
        if (trailing_cfws_) obsolete();
        take('@');
        return read_domain(mailbox.domain);
    }

    bool read_domain(std::string& domain) {
        if (skip_cfws()) obsolete();
        if (peek() == nullptr) return wrong("an address has no domain");
        if (peek()->kind == Kind::literal) {
            domain = unfold(tokens_.bytes(*peek()));
            ++at_;
            return is_utf8(domain) || wrong("a domain is neither ASCII nor UTF-8");
        }
        while (true) {
            if (peek() == nullptr || peek()->kind != Kind::atom)
                return wrong("a domain is malformed");
            domain += tokens_.bytes(*peek());
            ++at_;
            const std::size_t behind = at_;
            const Token* comment = comment_;
            const bool spaced = skip_cfws();
            if (!take('.')) {
                at_ = behind;
                comment_ = comment;
                return is_utf8(domain) || wrong("a domain is neither ASCII nor UTF-8");
            }
            if (spaced | skip_cfws()) obsolete();
            domain += '.';
        }
    }

    const Tokens& tokens_;
    std::size_t at_ = 0;
    const Token* comment_ = nullptr;
    bool trailing_cfws_ = false;
    std::string error_;
    AddressReading reading_;
};

}  // namespace

Result<AddressReading> read_strict(const Tokens& tokens) {
    return StrictReader(tokens).run();
}

}  // namespace millrace::mail
