#include <algorithm>
#include <utility>

#include "common/mail/address.hpp"
#include "common/mail/address_lexer.hpp"
#include "common/mail/domain.hpp"
#include "common/mail/text_encoder.hpp"
#include "common/mail/utf8.hpp"

namespace millrace::mail {
namespace {

enum class Dots { anywhere, between_atoms };

std::unexpected<Failure> wrong(const char* what) {
    return failure(Fault::invalid, what);
}

// RFC 5321 §4.1.2, read from the left. Every reader returns what is wrong, or nullptr.
class PathReader {
  public:
    PathReader(std::string_view text, bool utf8_allowed)
        : text_(text), utf8_allowed_(utf8_allowed) {}

    bool take(char c) {
        if (at_ == text_.size() || text_[at_] != c) return false;
        ++at_;
        return true;
    }

    bool at_end() const { return at_ == text_.size(); }
    std::size_t at() const { return at_; }

    const char* read_local_part(std::string& out, Dots dots) {
        const std::size_t begin = at_;
        const char* what = take('"') ? read_quoted() : read_dot_string(dots);
        if (what != nullptr) return what;
        out = text_.substr(begin, at_ - begin);
        if (out.empty()) return "the local part is empty";
        if (out.size() > local_part_max) return "the local part is longer than 64 octets";
        return nullptr;
    }

    const char* read_domain(std::string& out) {
        const std::size_t begin = at_;
        if (take('[')) {
            while (!at_end() && text_[at_] > 32 && text_[at_] < 127 && text_[at_] != ']')
                ++at_;
            if (!take(']')) return "the address literal is not closed";
            out = text_.substr(begin, at_ - begin);
            return is_literal(out) ? nullptr : "the address literal holds no address";
        }
        std::size_t label = 0;
        while (!at_end()) {
            const char c = text_[at_];
            if (c == '.') {
                if (label == 0) return "the domain has an empty label";
                label = 0;
                ++at_;
                continue;
            }
            const std::size_t n = is_domain_byte(c) ? 1 : read_utf8();
            if (n == 0) break;
            label += n;
            if (label > 63) return "the domain has a label longer than 63 octets";
            at_ += n;
        }
        out = text_.substr(begin, at_ - begin);
        if (out.empty()) return "the domain is missing";
        if (label == 0) return "the domain ends with a dot";
        if (out.size() > domain_max) return "the domain is longer than 255 octets";
        return nullptr;
    }

    // `@a,@b:`, which is read and forgotten.
    const char* read_route() {
        std::string ignored;
        while (true) {
            if (!take('@')) return "the source route is malformed";
            if (const char* what = read_domain(ignored)) return what;
            if (take(':')) return nullptr;
            if (!take(',')) return "the source route is malformed";
        }
    }

  private:
    // Underscores are in no host name and in many mail domains.
    static bool is_domain_byte(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    }

    // The size of an allowed non-ASCII character here; 0 when there is none.
    std::size_t read_utf8() const {
        const std::size_t n = utf8_sequence(text_.substr(at_));
        return n > 1 && utf8_allowed_ ? n : 0;
    }

    const char* read_quoted() {
        while (!at_end()) {
            const char c = text_[at_];
            if (c == '"') {
                ++at_;
                return nullptr;
            }
            if (c == '\\' && at_ + 1 < text_.size()) ++at_;
            const char shown = text_[at_];
            const std::size_t n = shown >= 32 && shown < 127 ? 1 : read_utf8();
            if (n == 0) return "the quoted local part holds a control or non-ASCII byte";
            at_ += n;
        }
        return "the quoted local part is not closed";
    }

    const char* read_dot_string(Dots dots) {
        bool dot_allowed = false;
        while (!at_end()) {
            const char c = text_[at_];
            if (c == '.') {
                if (!dot_allowed && dots == Dots::between_atoms) return "a dot is out of place";
                dot_allowed = false;
                ++at_;
                continue;
            }
            const std::size_t n = is_atext(c) ? 1 : read_utf8();
            if (n == 0) break;
            dot_allowed = true;
            at_ += n;
        }
        if (!dot_allowed && dots == Dots::between_atoms) return "the local part is malformed";
        return nullptr;
    }

    std::string_view text_;
    bool utf8_allowed_;
    std::size_t at_ = 0;
};

}  // namespace

std::string Path::address() const {
    return domain.empty() ? local_part : local_part + "@" + domain;
}

Result<Path> parse_path(std::string_view text, PathKind kind, bool utf8_allowed) {
    PathReader reader(text, utf8_allowed);
    Path path;
    if (!reader.take('<')) return wrong("the address has no angle brackets");
    if (kind == PathKind::reverse && reader.take('>')) {
        path.length = reader.at();
        return path;
    }
    if (text.substr(reader.at()).starts_with('@')) {
        if (const char* what = reader.read_route()) return wrong(what);
        path.source_route = true;
    }
    if (const char* what = reader.read_local_part(path.local_part, Dots::anywhere))
        return wrong(what);
    if (reader.take('@')) {
        if (const char* what = reader.read_domain(path.domain)) return wrong(what);
    } else if (kind == PathKind::reverse || path.source_route ||
               lower(path.local_part) != "postmaster") {
        return wrong("the address has no domain");
    }
    if (!reader.take('>')) return wrong("the address is malformed or its bracket is not closed");
    path.length = reader.at();
    if (path.address().size() + 2 > path_max) return wrong("the path is longer than 256 octets");
    return path;
}

Result<Mailbox> parse_address(std::string_view text) {
    PathReader reader(text, true);
    Mailbox mailbox;
    std::string local_part;
    if (const char* what = reader.read_local_part(local_part, Dots::between_atoms))
        return wrong(what);
    if (!reader.take('@')) return wrong("the address has no @");
    if (const char* what = reader.read_domain(mailbox.domain)) return wrong(what);
    if (!reader.at_end()) return wrong("something follows the address");
    const auto ascii = ascii_domain(mailbox.domain);
    if (!ascii) return std::unexpected(ascii.error());
    if (local_part.size() + 1 + std::max(ascii->size(), mailbox.domain.size()) + 2 > path_max)
        return wrong("the address is longer than 254 octets");
    mailbox.local_part = local_part.starts_with('"') ? unquote(local_part) : std::move(local_part);
    return mailbox;
}

}  // namespace millrace::mail
