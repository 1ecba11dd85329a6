#include <algorithm>
#include <utility>

#include "common/mail/address.hpp"
#include "common/mail/address_reader.hpp"
#include "common/mail/charset.hpp"
#include "common/mail/header_block.hpp"
#include "common/mail/subject.hpp"
#include "common/mail/text_decoder.hpp"
#include "common/mail/text_encoder.hpp"

namespace millrace::mail {
namespace {

using Kind = Token::Kind;

// A quoted name longer than this is encoded instead, so that it can be folded.
constexpr std::size_t quoted_max = 70;

bool has_control(std::string_view text) {
    return std::ranges::any_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
}

std::string decode_name(std::string_view bytes, const TextOptions& options, TextDefects& defects) {
    DecodedText decoded;
    decode_folded(normalise_folds(bytes, decoded), options, decoded);
    defects.bits = static_cast<std::uint16_t>(defects.bits | decoded.defects.bits);
    const std::string text = with_plain_blanks(decoded.text);
    return std::string(trim(text));
}

TextDefects raw_text_defect() {
    TextDefects defects;
    defects.add(TextDefect::raw_8bit);
    return defects;
}

// A name may be nothing but controls; a group still has to have one.
void put_decoded(LineWriter& out, std::string_view text) {
    if (text.empty())
        out.put("\"\"");
    else
        write_text(out, text, Place::phrase);
}

// Puts a display or group name; true when it ends in an encoded-word, behind which a blank has to
// stand.
bool put_name(LineWriter& out, std::string_view name, const TextOptions& options) {
    if (is_ascii(name) && !has_control(name)) {
        if (is_plain_phrase(name)) {
            while (true) {
                const std::size_t blank = name.find(' ');
                out.put(name.substr(0, blank));
                if (blank == std::string_view::npos) return false;
                name.remove_prefix(blank + 1);
            }
        }
        if (name.size() <= quoted_max) {
            out.put(quote(name));
            return false;
        }
    }
    TextDefects ignored;
    put_decoded(out, decode_name(name, options, ignored));
    return true;
}

// Rewrites names and comments of a tokenized address field; everything else is copied.
class AddressMender {
  public:
    AddressMender(const Tokens& tokens,
                  const std::vector<Extent>& phrases,
                  std::string_view field_name,
                  const TextOptions& options)
        : tokens_(tokens), phrases_(phrases), options_(options), out_(field_name.size() + 1) {}

    Repair run() {
        for (std::size_t i = 0; i < tokens_.list.size();) {
            const Token& token = tokens_.list[i];
            if (const std::size_t end = raw_phrase_end(token); end != 0) {
                const std::size_t first = i;
                while (i < tokens_.list.size() && tokens_.list[i].end <= end)
                    ++i;
                flush();
                mend_phrase(first, i);
            } else if (token.kind == Kind::comment && !is_ascii(tokens_.bytes(token))) {
                flush();
                mend_comment(token);
                ++i;
            } else {
                copy(token);
                ++i;
            }
        }
        flush();
        if (!changed_) return {};
        return {true, out_.take(), defects_};
    }

  private:
    // Where the name that starts with this token ends, if it holds raw bytes; else 0.
    std::size_t raw_phrase_end(const Token& token) {
        while (phrase_ < phrases_.size() && phrases_[phrase_].offset < token.begin)
            ++phrase_;
        if (phrase_ == phrases_.size() || phrases_[phrase_].offset != token.begin) return 0;
        const Extent& extent = phrases_[phrase_];
        const bool raw = !is_ascii(tokens_.text.substr(extent.offset, extent.size));
        return raw ? extent.offset + extent.size : 0;
    }

    void mend_phrase(std::size_t first, std::size_t end) {
        std::string bytes;
        for (std::size_t i = first; i < end; ++i) {
            const Token& token = tokens_.list[i];
            if (token.kind == Kind::blank)
                bytes += ' ';
            else if (token.kind == Kind::quoted)
                bytes += unquote(tokens_.bytes(token));
            else
                bytes += tokens_.bytes(token);
        }
        put_decoded(out_, decode_name(bytes, options_, defects_));
        changed_ = true;
    }

    void mend_comment(const Token& token) {
        const std::string text = decode_name(unquote(tokens_.bytes(token)), options_, defects_);
        if (text.empty())
            out_.put("()");
        else
            write_text(out_, text, Place::comment, "(", ")");
        changed_ = true;
    }

    void copy(const Token& token) {
        if (token.kind == Kind::blank) {
            flush();
            return;
        }
        piece_ += tokens_.bytes(token);
        if (tokens_.is(token, '<')) in_angle_ = true;
        if (tokens_.is(token, '>')) in_angle_ = false;
        if (tokens_.is(token, ',') && !in_angle_) flush();
    }

    void flush() {
        if (!piece_.empty()) out_.put(unfold(std::exchange(piece_, {})));
    }

    const Tokens& tokens_;
    const std::vector<Extent>& phrases_;
    const TextOptions& options_;
    LineWriter out_;
    std::string piece_;
    std::size_t phrase_ = 0;
    bool in_angle_ = false;
    bool changed_ = false;
    TextDefects defects_;
};

}  // namespace

Repair repair_addresses(std::string_view value,
                        std::string_view field_name,
                        const TextOptions& options) {
    if (is_ascii(value)) return {};
    Tokens tokens = tokenize(value);
    auto reading = read_strict(tokens);
    if (!reading) {
        tokens = tokenize(value, EncodedWords::whole);
        reading = read_lenient(tokens);
    }
    if (!reading) return {};
    // Where quotes and brackets have no partners no place can be mended by itself: once one is
    // written properly, the others mean something else.
    if (!tokens.sound)
        return {true, write_field(reading->list, field_name, options), raw_text_defect()};
    return AddressMender(tokens, reading->phrases, field_name, options).run();
}

std::string print_phrase(std::string_view bytes, const TextOptions& options) {
    LineWriter out(0);
    put_name(out, bytes, options);
    const std::string text = out.take();
    return std::string(trim(text));
}

std::string write_field(const AddressList& list,
                        std::string_view field_name,
                        const TextOptions& options) {
    LineWriter out(field_name.size() + 1);
    bool first = true;
    for (const Address& address : list.addresses) {
        if (!std::exchange(first, false)) out.append(",");
        if (address.group) {
            put_name(out, address.group_name, options) ? out.put(":") : out.append(":");
        }
        for (std::size_t i = 0; i < address.mailboxes.size(); ++i) {
            const Mailbox& mailbox = address.mailboxes[i];
            if (i != 0) out.append(",");
            if (mailbox.display_name.empty()) {
                out.put(mailbox.address());
            } else {
                put_name(out, mailbox.display_name, options);
                out.put("<" + mailbox.address() + ">");
            }
        }
        if (address.group) out.append(";");
    }
    return out.take();
}

}  // namespace millrace::mail
